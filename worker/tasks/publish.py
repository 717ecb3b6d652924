"""`publish_events(wiki)`: send and settle what is ready, for a bounded time."""

from worker import pipeline
from worker.app import PUBLISH_EVENTS, app
from worker.tasks.running import run_time_boxed


@app.task(name=PUBLISH_EVENTS)
def publish_events(wiki: str) -> None:
    run_time_boxed(
        PUBLISH_EVENTS,
        wiki,
        lambda here, until, more: pipeline.publish_events(here.wiki(wiki), until=until, more=more),
    )
