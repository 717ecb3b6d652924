"""`drain_edits(wiki)`: score and settle what is ready, for a bounded time."""

import time

from worker import pipeline
from worker.app import DRAIN_EDITS, PUBLISH_EVENTS, app
from worker.bootstrap import services
from worker.tasks.reporting import reported


@app.task(name=DRAIN_EDITS)
def drain_edits(wiki: str) -> None:
    with reported(DRAIN_EDITS, wiki):
        here = services()
        here.doorbell.answer(DRAIN_EDITS, wiki)
        until = time.monotonic() + here.settings.drain_seconds
        out_of_time = here.runner.run(
            pipeline.drain_edits(
                here.wiki(wiki),
                until=until,
                more=lambda: here.doorbell.ring(DRAIN_EDITS, wiki),
                settled=lambda: here.doorbell.ring(PUBLISH_EVENTS, wiki),
            )
        )
        if out_of_time:
            here.doorbell.ring(DRAIN_EDITS, wiki)
