"""`score`: one score on demand. The task's id is the score id, and so is the key under which the result stands."""

from typing import Any

from celery import Task

from worker import pipeline
from worker.app import SCORE, app
from worker.bootstrap import services
from worker.errors import EndpointUnavailable, ScoreRefused, SettingsInvalid
from worker.scores import ScoreId

#: Ends that are no fault of ours: stored as the task's failure, and logged without a traceback.
EXPECTED = (EndpointUnavailable, ScoreRefused, SettingsInvalid, ValueError)


@app.task(name=SCORE, bind=True, ignore_result=False, throws=EXPECTED)
def score(self: "Task[..., dict[str, Any]]") -> dict[str, Any]:
    """Call it with `task_id="enwiki:damaging:745065890:0.5.1"`; a repeated call shares the score."""
    score_id = ScoreId.parse(str(self.request.id))
    here = services()
    return here.runner.run(pipeline.score_on_demand(here.wiki(score_id.wiki), score_id)).model_dump(mode="json")
