"""`score`: one score on demand. The task's id is the score id, and so is the key of the result.

`scores`: several scores of one wiki. Single flight stores each under its own id; the task itself stores nothing.
"""

from collections.abc import Sequence
from typing import Any

from celery import Task
from celery.exceptions import Ignore

from outbox.errors import OutboxError
from worker.app import app, send_score, send_scores
from worker.bootstrap import Services, services
from worker.config.wiki import Wiki
from worker.domain.errors import CommandFailed, WorkerError
from worker.domain.scores import UNKNOWN_VERSION, Score, ScoreId
from worker.lanes.rings import SCORE, SCORES
from worker.scores.on_demand import score_on_demand, scores_on_demand
from worker.tasks.passing import is_passed_on
from worker.tasks.running import described, log_error, reported
from worker.upkeep.versions import keep_versions

#: Scores on demand have places of their own, so that neither they nor the turns take all threads.
ON_DEMAND = "scores on demand"
#: Seconds after which a request that found no place goes back to the queue.
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
        answer = answer_to(here, wiki, score_id)
    if score_id.version.startswith(UNKNOWN_VERSION):
        keep_versions(wiki, here.documents)
    if answer is not None:
        return answer.model_dump(mode="json", exclude_none=True)
    # Another process is computing it and will end this task for us.
    _look_again(here, score_id)
    raise Ignore


def answer_to(here: Services, wiki: Wiki, score_id: ScoreId) -> Score | None:
    """The answer to one request; None if another process is computing it.

    Raises:
        WorkerError: there is none; what nobody foresaw is logged, and is a `CommandFailed`.
        OutboxError: the database failed, which is logged, too, since the front door does not show it.
    """
    try:
        return here.runner.run(score_on_demand(wiki, score_id, here.flights[wiki.id], here.client))
    except WorkerError:
        raise
    except OutboxError as error:
        log_error(SCORE, wiki.id, error)
        raise
    except BaseException as error:  # noqa: BLE001 - see below
        # The details of an unforeseen error do not concern the asker, and a SystemExit would never end this task.
        log_error(SCORE, wiki.id, error)
        raise CommandFailed(f"{score_id}: {described(error)[0]}") from None


@app.task(name=SCORES)
def scores(wiki: str, score_ids: Sequence[str]) -> None:
    """Get the scores of these ids, all of *wiki*, in as few calls as the endpoint takes."""
    with reported(SCORES, wiki):
        here = services()
        if is_passed_on(here, wiki):
            return
        with here.turns.bulkheads.place([ON_DEMAND], wiki=wiki) as has_place:
            if not has_place:
                here.doorbell.later(NO_PLACE_SECONDS, lambda: send_scores(wiki, score_ids))
                return
            ids = [ScoreId.parse(each) for each in score_ids]
            asked = scores_on_demand(here.wiki(wiki), ids, here.flights[wiki], here.client)
            for left in here.runner.run(asked):
                _look_again(here, left)
            if any(each.version.startswith(UNKNOWN_VERSION) for each in ids):
                keep_versions(here.wiki(wiki), here.documents)


def _look_again(here: Services, score_id: ScoreId) -> None:
    """Look again after the lease of the process that computes *score_id* now, in case it dies; once for all tasks."""
    seconds = here.settings.flight.lease_seconds
    here.doorbell.send_once(f"{SCORE}:{score_id}", lambda: send_score(str(score_id)), seconds=seconds)
