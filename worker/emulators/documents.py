"""JSON as the emulators write it."""

import json

Document = dict[str, object]


def encode(document: object) -> str:
    """JSON on one line, without blanks, in ASCII, so that half of a surrogate pair can be written, too."""
    return json.dumps(document, separators=(",", ":"))
