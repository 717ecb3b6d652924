"""What beat asks for."""

from outbox import EDITS, EVENTS
from outbox.inspection import has_work
from worker.app import DRAIN_EDITS, POLL, PUBLISH_EVENTS, app
from worker.bootstrap import services
from worker.flight.database_tier import tidy
from worker.tasks.running import reported


@app.task(name=POLL)
def poll() -> None:
    """Ring for every wiki that has work which no doorbell announced, or none that was heard; tidy up."""
    here = services()
    for wiki in here.wikis.values():
        with reported(POLL, wiki.id), wiki.database.reading() as connection:
            for task, lane in ((DRAIN_EDITS, EDITS), (PUBLISH_EVENTS, EVENTS)):
                if has_work(connection, lane):
                    here.doorbell.ring(task, wiki.id)
        with reported(POLL, wiki.id):
            tidy(wiki.database)
