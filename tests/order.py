"""The order of the tests in a run of several processes: what waits for other processes comes first in each of them.

`--dist worksteal` gives each process a stretch of the tests, and who is done takes from the end of another's. So the
end of a run is as short as the tests at the ends of the stretches.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
#: Folders whose tests start processes and wait for them.
SLOW = frozenset({"acceptance", "benchmarks", "docs", "installation"})


def dealt(items: Sequence[pytest.Item], processes: int) -> list[pytest.Item]:
    """*items* so that each of the stretches of *processes* begins with its share of the slow modules."""
    slow: list[list[pytest.Item]] = [[] for _ in range(processes)]
    modules = [list(module) for _, module in groupby(filter(_is_slow, items), key=lambda item: item.path)]
    for number, module in enumerate(modules):
        slow[number % processes] += module
    others = [item for item in items if not _is_slow(item)]
    order: list[pytest.Item] = []
    for number, beginning in enumerate(slow):
        # As they are cut by the scheduler; what is too long for its stretch begins the next one.
        size = (len(items) - len(order)) // (processes - number)
        rest = max(0, size - len(beginning))
        order += [*beginning, *others[:rest]]
        others = others[rest:]
    return [*order, *others]


def _is_slow(item: pytest.Item) -> bool:
    return item.path.relative_to(TESTS).parts[0] in SLOW
