"""`score`: one score on demand. The task's id is the score id, and so is the key of the result."""

from typing import Any

from celery import Task
from celery.exceptions import Ignore

from outbox.errors import OutboxError
from worker.app import app, send_score
from worker.bootstrap import services
from worker.domain.errors import CommandFailed, WorkerError
from worker.domain.scores import ScoreId
from worker.lanes.rings import SCORE
from worker.scores.pipeline import score_on_demand
from worker.tasks.passing import is_passed_on
from worker.tasks.running import described, tell

#: Scores on demand have places of their own, so that neither they nor the turns take all threads.
ON_DEMAND = "scores on demand"
#: A request that found no place goes back to the queue after this time.
NO_PLACE_SECONDS = 0.5

#: Errors that are no bug: stored as the task's failure, and logged without a traceback.
EXPECTED = (OutboxError, WorkerError, ValueError)


@app.task(name=SCORE, bind=True, ignore_result=False, throws=EXPECTED)
def score(self: "Task[..., dict[str, Any]]") -> dict[str, Any]:
    """Call it with `task_id="enwiki:damaging:745065890:0.5.1"`; a repeated request shares the score."""
    score_id = ScoreId.parse(str(self.request.id))
    here = services()
    if is_passed_on(here, score_id.wiki):
        raise Ignore
    wiki = here.wiki(score_id.wiki)
    with here.turns.bulkheads.place([ON_DEMAND], wiki=wiki.id) as has_place:
        if not has_place:
            ignored = bool(self.request.ignore_result)
            here.doorbell.later(NO_PLACE_SECONDS, lambda: send_score(str(score_id), ignore_result=ignored))
            raise Ignore
        try:
            answer = here.runner.run(score_on_demand(wiki, score_id, here.flights[wiki.id], here.client))
        except EXPECTED:
            raise
        except BaseException as error:  # noqa: BLE001 - see below
            # Details of an unforeseen error are not for the asker, and SystemExit would never end this task.
            tell(SCORE, wiki.id, error)
            raise CommandFailed(f"{score_id}: {described(error)[0]}") from None
    if answer is not None:
        return answer.model_dump(mode="json")
    # Another process is computing it and will end this task for us. If that process dies, one task looks again.
    seconds = here.settings.flight.lease_seconds
    here.doorbell.send_once(f"{SCORE}:{score_id}", lambda: send_score(str(score_id)), seconds=seconds)
    raise Ignore
