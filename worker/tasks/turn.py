"""`turn(wiki, lane)`: serve one batch of a lane of a wiki."""

from worker.app import app
from worker.bootstrap import services
from worker.lanes.rings import TURN
from worker.tasks.passing import is_passed_on
from worker.tasks.running import is_resting, reported


@app.task(name=TURN)
def turn(wiki: str, lane: str) -> None:
    with reported(TURN, wiki, lane):
        here = services()
        if is_passed_on(here, wiki):
            return
        here.doorbell.answer(TURN, wiki, lane)
        if not is_resting(TURN, wiki, lane):
            here.turns.take(here.wiki(wiki), lane)
