"""`turn(wiki, lane)`: serve one batch of a lane of a wiki, and of the lane for which that one promised something."""

from worker.app import app
from worker.bootstrap import Services, services
from worker.lanes.rings import TURN
from worker.tasks.passing import is_passed_on
from worker.tasks.running import is_resting, reported


@app.task(name=TURN)
def turn(wiki: str, lane: str) -> None:
    follows: str | None = None
    with reported(TURN, wiki, lane):
        here = services()
        if is_passed_on(here, wiki):
            return
        here.doorbell.answer(TURN, wiki, lane)
        follows = _take_one(here, wiki, lane)
    if follows is not None:
        # A task of its own would cost more than the turn.
        with reported(TURN, wiki, follows):
            _take_one(here, wiki, follows)


def _take_one(here: Services, wiki: str, lane: str) -> str | None:
    """Take one turn, unless it failed a moment ago; returns the lane whose turn can follow."""
    return None if is_resting(TURN, wiki, lane) else here.turns.take(here.wiki(wiki), lane).follows
