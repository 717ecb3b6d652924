"""Loaded into the workers of tests by `celery worker --include`: pauses that are no settings are tenths of theirs.

So what a fault costs in time is over soon, as with the settings in `running.SHORT`.
"""

from collections.abc import Callable
from typing import Any, cast

from outbox.backoff import FIRST, backoff
from worker.endpoints import circuits as of_endpoints
from worker.lanes import circuits, consuming

SHARE = 10


def _change_defaults(function: Callable[..., object], **changes: Any) -> None:
    """Wherever *function* was imported already."""
    defaults = cast("Any", function).__kwdefaults__
    assert changes.keys() <= defaults.keys()
    defaults.update(changes)


_change_defaults(
    circuits.Circuit.__init__,
    first_seconds=circuits.FIRST_OPEN_SECONDS / SHARE,
    longest_seconds=circuits.LONGEST_OPEN_SECONDS / SHARE,
)
_change_defaults(backoff, first=FIRST / SHARE)
of_endpoints.NARROW_SECONDS /= SHARE
of_endpoints.WIDE_SECONDS /= SHARE
of_endpoints.SPREAD_SECONDS /= SHARE
# Not a tenth: on a busy machine Celery's thread has to wait for a core.
consuming.SILENT_SECONDS = 3.0
