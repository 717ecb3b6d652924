"""`publish_events(wiki)`: send and settle what is ready, for a bounded time."""

import time

from worker import pipeline
from worker.app import PUBLISH_EVENTS, app
from worker.bootstrap import services
from worker.tasks.reporting import reported


@app.task(name=PUBLISH_EVENTS)
def publish_events(wiki: str) -> None:
    with reported(PUBLISH_EVENTS, wiki):
        here = services()
        here.doorbell.answer(PUBLISH_EVENTS, wiki)
        until = time.monotonic() + here.settings.drain_seconds
        out_of_time = here.runner.run(
            pipeline.publish_events(here.wiki(wiki), until=until, more=lambda: here.doorbell.ring(PUBLISH_EVENTS, wiki))
        )
        if out_of_time:
            here.doorbell.ring(PUBLISH_EVENTS, wiki)
