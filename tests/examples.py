"""How many examples property tests try: few in a run that is waited for, all with OUTPATROL_TEST_PROFILE=full."""

import os

PROFILE_VARIABLE = "OUTPATROL_TEST_PROFILE"
FULL = "full"
#: What is tried in a run that is waited for, of what is tried in a full one.
SHARE = 5
#: Fewer find nothing.
FEWEST = 10


def is_full() -> bool:
    return os.environ.get(PROFILE_VARIABLE) == FULL


def examples(count: int) -> int:
    """How many of *count* examples this run tries."""
    return count if is_full() else max(min(count, FEWEST), count // SHARE)
