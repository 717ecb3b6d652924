"""`turn(wiki, lane)`: serve one lane of a wiki, batch by batch, for a bounded time."""

import time

from worker.app import app
from worker.bootstrap import Services, services
from worker.lanes.rings import TURN
from worker.lanes.turn import turn
from worker.tasks.running import reported


@app.task(name=TURN)
def serve(wiki: str, lane: str) -> None:
    with reported(TURN, wiki, lane):
        take_turns(services(), wiki, lane)


def take_turns(here: Services, wiki: str, lane: str) -> None:
    """Answer the doorbell and take turns at *lane* of *wiki*; ring again if time ran out before the work did."""
    here.doorbell.answer(TURN, wiki, lane)
    consumer = here.consumers.get(lane)
    if consumer is None:
        # The settings had its sink when this was rung for; what waits is safe until they have it again.
        return
    until = time.monotonic() + here.settings.drain_seconds
    while here.runner.run(turn(here.wiki(wiki), consumer, here.doorbell, lease=here.settings.outbox.lease)):
        if time.monotonic() >= until:
            here.doorbell.ring(TURN, wiki, lane)
            return
