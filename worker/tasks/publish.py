"""`publish_events(wiki, sink)`: send and settle what is ready for one sink, for a bounded time."""

from worker.app import PUBLISH_EVENTS, app
from worker.events import publishing
from worker.tasks.running import run_time_boxed


@app.task(name=PUBLISH_EVENTS)
def publish_events(wiki: str, sink: str) -> None:
    run_time_boxed(
        PUBLISH_EVENTS,
        wiki,
        lambda here, until, _: publishing.publish_events(here.wiki(wiki), sink, until=until),
        sink,
    )
