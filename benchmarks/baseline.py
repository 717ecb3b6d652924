"""What Outpatrol is compared with: a worker as most people would write it at first, one Celery task an edit.

Each task asks the endpoint with plain httpx over a connection that its child keeps, writes the edit's rows and event,
and commits. The tables are ours, and so are the rows and the event, so that the results are the same. How they are
written is SQLAlchemy's way, and Redis is read as a plain installation of Celery does, so that what makes us faster does
not move what we are compared with.
"""

import functools
import json
import os
import sys
from dataclasses import astuple
from datetime import UTC, datetime
from typing import Any

if "BENCHMARK_BASELINE" in os.environ:
    # In its own processes only. Celery does not bring it along, and redis-py takes it where it is.
    sys.modules["hiredis"] = None  # type: ignore[assignment]

import httpx
from celery import Celery
from sqlalchemy import Engine, create_engine, insert
from sqlalchemy.orm import Session

from benchmarks.columns import COLUMNS, DOMAIN, LANGUAGE, WIKI, Column
from outbox import Edit
from worker.config.settings_sections import EventsSettings
from worker.domain.models import DEFAULT_MODELS
from worker.domain.scores import Score
from worker.events.build import Announcing
from worker.events.file_sink import FILE
from worker.scores.autopatrol import must_be_stored
from worker.scores.model_versions import KnownModels, current_models
from worker.scores.rows import rows_of
from worker.scores.store import COLUMNS as COLUMNS_OF_ROWS
from worker.scores.tables import ores_classification

#: Names the JSON object with `redis_url`, `database_url`, `endpoint_url` and `column`.
VARIABLE = "BENCHMARK_BASELINE"
TASK = "score_edit"
QUEUE = "baseline"
#: The worker starts with this queue only, so that the other can be filled before the clock starts.
IDLE_QUEUE = "baseline_idle"


@functools.cache
def _configuration() -> dict[str, str]:
    configuration: dict[str, str] = json.loads(os.environ[VARIABLE])
    return configuration


app = Celery("baseline")
app.add_defaults(lambda: {"broker_url": _configuration()["redis_url"], "task_ignore_result": True})


@app.task(name=TASK)
def score_edit(payload: str) -> None:
    column = COLUMNS[_configuration()["column"]]
    edit = Edit.decode(payload)
    scores = ask(_http(), column, edit.revision)
    announcing = Announcing(settings=EventsSettings())
    (event,) = announcing.events_of(edit, scores, domain=DOMAIN, now=datetime.now(UTC))
    known = _known()
    with Session(_engine()) as session, session.begin():
        if must_be_stored(edit):
            rows = [
                dict(zip(COLUMNS_OF_ROWS, astuple(row), strict=True))
                for score in scores
                for row in rows_of(score, edit.revision, known[score.model].id, DEFAULT_MODELS[score.model])
            ]
            if rows:
                session.execute(insert(ores_classification).prefix_with("IGNORE"), rows)
        session.execute(insert(FILE.lane.messages).values(payload=event.encode()))


def ask(http: httpx.Client, column: Column, revision: int) -> list[Score]:
    """Ask for all models of *column*: one request to ORES, one for each model to Lift Wing."""
    if column.kind == "ores":
        params = {"models": "|".join(column.models), "revids": str(revision)}
        return _revscoring(_json(http.get(f"/v3/scores/{WIKI}/", params=params)), revision)
    scores = []
    for model in column.models:
        name = DEFAULT_MODELS[model].lift_wing_name
        if name is None:
            reply = http.post(f"/v1/models/{WIKI}-{model}:predict", json={"rev_id": revision})
            scores += _revscoring(_json(reply), revision)
        else:
            reply = http.post(f"/v1/models/{name}:predict", json={"rev_id": revision, "lang": LANGUAGE})
            scores.append(_revert_risk(model, _json(reply)))
    return scores


def _revscoring(document: dict[str, Any], revision: int) -> list[Score]:
    of_wiki = document[WIKI]
    return [
        Score(
            model=model,
            version=of_wiki["models"][model]["version"],
            prediction=str(entry["score"]["prediction"]).lower(),
            probability=entry["score"]["probability"],
        )
        for model, entry in of_wiki["scores"][str(revision)].items()
    ]


def _revert_risk(model: str, document: dict[str, Any]) -> Score:
    output = document["output"]
    return Score(
        model=model,
        version=document["model_version"],
        prediction=str(output["prediction"]).lower(),
        probability=output["probabilities"],
    )


def _json(reply: httpx.Response) -> dict[str, Any]:
    document: dict[str, Any] = reply.raise_for_status().json()
    return document


# Made once in each process, at the first task, so after the fork.


@functools.cache
def _http() -> httpx.Client:
    return httpx.Client(base_url=_configuration()["endpoint_url"], timeout=15)


@functools.cache
def _engine() -> Engine:
    return create_engine(_configuration()["database_url"])


@functools.cache
def _known() -> KnownModels:
    with _engine().connect() as connection:
        return current_models(connection)
