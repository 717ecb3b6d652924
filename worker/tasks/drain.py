"""`drain_edits(wiki)` and `drain_backfill(wiki)`: score and settle what is ready, for a bounded time."""

from worker.app import CHECK_MODEL_VERSIONS, DRAIN_BACKFILL, DRAIN_EDITS, PUBLISH_EVENTS, app
from worker.bootstrap import Services
from worker.scores import pipeline
from worker.tasks.running import run_time_boxed


@app.task(name=DRAIN_EDITS)
def drain_edits(wiki: str) -> None:
    def settled(here: Services) -> None:
        for sink in here.wiki(wiki).sinks:
            here.doorbell.ring(PUBLISH_EVENTS, wiki, sink)

    run_time_boxed(
        DRAIN_EDITS,
        wiki,
        lambda here, until, more: pipeline.drain_edits(
            here.wiki(wiki),
            until=until,
            more=more,
            settled=lambda: settled(here),
            news=lambda: here.doorbell.ring_once(
                CHECK_MODEL_VERSIONS, wiki, seconds=here.settings.upkeep.prompted_seconds
            ),
        ),
    )


@app.task(name=DRAIN_BACKFILL)
def drain_backfill(wiki: str) -> None:
    run_time_boxed(
        DRAIN_BACKFILL,
        wiki,
        lambda here, until, more: pipeline.drain_backfill(here.wiki(wiki), until=until, more=more),
    )
