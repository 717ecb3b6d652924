"""`turn(wiki, lane)`: serve one batch of a lane of a wiki, and what can follow at once in the same task."""

import time
from collections.abc import Callable

from worker.app import app
from worker.bootstrap import Services, services
from worker.lanes.rings import TURN
from worker.tasks.passing import is_passed_on
from worker.tasks.running import is_resting, reported

#: Turns follow one another in one task for so long, but at least two; what is left goes to the end of the queue.
FOLLOW_SECONDS = 1.0


@app.task(name=TURN)
def turn(wiki: str, lane: str) -> None:
    """Serve *lane* of *wiki*: one turn, and what may follow it in the same task."""
    with reported(TURN, wiki, lane):
        here = services()
        if is_passed_on(here, wiki):
            return
        here.doorbell.answer(TURN, wiki, lane)
        take_turns(lane, lambda each: _take_one(here, wiki, each), lambda each: here.doorbell.turn(wiki, each, after=0))


def take_turns(
    lane: str,
    take: Callable[[str], str | None],
    ring: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """*take* a turn at *lane* and those that follow, for which a task each would cost more than the turn.

    After some time *ring* for the next one instead: others wait for this thread. What the first one promised follows
    however long that took, as scores of a slow endpoint do.
    """
    until = clock() + FOLLOW_SECONDS
    follows = take(lane)
    if follows is not None:
        follows = take(follows)
    while follows is not None:
        if clock() >= until:
            ring(follows)
            return
        follows = take(follows)


def _take_one(here: Services, wiki: str, lane: str) -> str | None:
    """Take one turn, unless it failed a moment ago; returns the lane whose turn can follow."""
    follows: str | None = None
    with reported(TURN, wiki, lane):
        if not is_resting(TURN, wiki, lane):
            follows = here.turns.take(here.wiki(wiki), lane).follows
    return follows
