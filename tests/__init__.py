"""The tests; what each folder needs is in its own `conftest.py`."""

import os

# Some library sets them where there is no terminal, and a console keeps to what it finds when it is made.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)
