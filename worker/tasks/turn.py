"""`turn(wiki, lane)`: serve one batch of a lane of a wiki, and what can follow it at once."""

import time

from worker.app import app
from worker.bootstrap import Services, services
from worker.lanes.rings import TURN
from worker.tasks.passing import is_passed_on
from worker.tasks.running import is_resting, reported

#: Turns follow one another in the same task for so long; a task for each would cost more than the turn.
FOLLOW_SECONDS = 1.0


@app.task(name=TURN)
def turn(wiki: str, lane: str) -> None:
    follows: str | None = None
    with reported(TURN, wiki, lane):
        here = services()
        if is_passed_on(here, wiki):
            return
        here.doorbell.answer(TURN, wiki, lane)
        until = time.monotonic() + FOLLOW_SECONDS
        follows = _take_one(here, wiki, lane)
    while follows is not None:
        lane, follows = follows, None
        if time.monotonic() > until:
            here.doorbell.turn(wiki, lane, after=0)
            return
        with reported(TURN, wiki, lane):
            follows = _take_one(here, wiki, lane)


def _take_one(here: Services, wiki: str, lane: str) -> str | None:
    """Take one turn, unless it failed a moment ago; returns the lane whose turn can follow."""
    return None if is_resting(TURN, wiki, lane) else here.turns.take(here.wiki(wiki), lane).follows
