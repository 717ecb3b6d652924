"""`drain_edits(wiki)`: score and settle what is ready, for a bounded time."""

from worker import pipeline
from worker.app import DRAIN_EDITS, PUBLISH_EVENTS, app
from worker.tasks.running import run_time_boxed


@app.task(name=DRAIN_EDITS)
def drain_edits(wiki: str) -> None:
    run_time_boxed(
        DRAIN_EDITS,
        wiki,
        lambda here, until, more: pipeline.drain_edits(
            here.wiki(wiki), until=until, more=more, settled=lambda: here.doorbell.ring(PUBLISH_EVENTS, wiki)
        ),
    )
