"""JSON in one line, wherever it is stored or sent; Python's own encoder, made once. Pure."""

import json
from typing import Any

JsonObject = dict[str, Any]

#: Made once, since `json.dumps` makes an encoder at each call with other than the default options. In ASCII.
to_json = json.JSONEncoder(separators=(",", ":")).encode
