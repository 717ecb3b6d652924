"""The entrance for whoever wants one score now: any Celery application, by the score's id."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.result import AsyncResult

from tests.acceptance.expectations import calls_by_score, sample_edits
from tests.acceptance.running import PATIENT, Running, merged, running
from tests.patience import PATIENCE_SECONDS
from worker.domain.errors import ScoreRefused
from worker.emulators.scoring.shapes import probabilities
from worker.lanes.rings import SCORE

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("on_demand")
    # Room for all that is asked for at once, so that nothing waits for its turn longer than the short deadlines allow.
    settings = merged(PATIENT, {"endpoint": {"concurrency": 200}})
    with running(directory, {"itwiki": f"sqlite:///{directory}/itwiki.db"}, **settings) as here:
        yield here


@pytest.fixture
def here(worker: Running) -> Running:
    worker.endpoint.reset()
    return worker


def ask(here: Running, score_id: str) -> "AsyncResult[Any]":
    return here.client.send_task(SCORE, task_id=score_id)


def test_a_score_is_the_result_of_the_task_with_its_id(here: Running) -> None:
    answer = ask(here, "itwiki:damaging:7:0.5.1").get(timeout=PATIENCE_SECONDS)

    assert answer["probability"] == probabilities(0, "itwiki", "damaging", 7)


BARE_CLIENT = """
import json, sys
sys.modules.update(outbox=None, worker=None)  # As where neither is installed.
from celery import Celery
from celery.exceptions import TimeoutError
{example}
def ask(revision):
    return app.send_task("score", task_id=f"itwiki:damaging:{{revision}}:0.5.1", queue="outpatrol-score")
try:
    ask(404).get(timeout={seconds})
except TimeoutError:
    raise
except Exception as error:
    print(type(error).__name__, error)
print(json.dumps(ask(6).get(timeout={seconds})))
"""


def test_the_client_in_the_readme_gets_scores_and_errors_where_nothing_of_ours_is_installed(here: Running) -> None:
    here.endpoint.set(missing_revisions=[404])
    example = next(code for code in README.read_text().split("```") if "task_keyprefix" in code)
    lines = (
        example.removeprefix("python\n").replace("redis://…", here.settings.redis_url.get_secret_value()).splitlines()
    )
    program = BARE_CLIENT.format(
        example="\n".join(line for line in lines if "send_task" not in line), seconds=PATIENCE_SECONDS
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    refused, answer = done.stdout.splitlines()

    assert refused.startswith("ScoreRefused itwiki:damaging:404:0.5.1: RevisionNotFound")
    assert json.loads(answer)["probability"] == probabilities(0, "itwiki", "damaging", 6)


def test_requests_for_one_score_at_one_time_share_one_call(here: Running) -> None:
    here.endpoint.set(latency_ms=300)
    requests = [ask(here, "itwiki:damaging:8:0.5.1") for _ in range(8)]
    answers = [request.get(timeout=PATIENCE_SECONDS)["probability"] for request in requests]

    assert answers == [probabilities(0, "itwiki", "damaging", 8)] * 8
    assert calls_by_score(here) == {("itwiki", "damaging", 8): 1}
    assert here.endpoint.summary()["overlaps"] == 0


def test_requests_and_drains_for_one_score_at_one_time_share_one_call(here: Running) -> None:
    edits = sample_edits("itwiki", 60)
    here.endpoint.set(latency_ms=300)
    here.save(edits)
    requests = [ask(here, f"itwiki:goodfaith:{edit.revision}:0.5.1") for edit in edits[:20]]
    answers = [request.get(timeout=PATIENCE_SECONDS)["probability"] for request in requests]
    here.until_all_is_kept()

    assert answers == [probabilities(0, "itwiki", "goodfaith", edit.revision) for edit in edits[:20]]
    assert set(calls_by_score(here).values()) == {1}
    assert here.endpoint.summary()["overlaps"] == 0


def test_the_score_of_a_drained_edit_is_there_without_a_request(here: Running) -> None:
    edit = sample_edits("itwiki", 61)[0]
    here.save([edit])
    here.until_all_is_kept()
    answer = here.client.AsyncResult(f"itwiki:damaging:{edit.revision}:0.5.1").get(timeout=PATIENCE_SECONDS)

    assert answer["probability"] == probabilities(0, "itwiki", "damaging", edit.revision)


def test_a_score_that_cannot_be_had_is_refused_with_the_reason(here: Running) -> None:
    here.endpoint.set(missing_revisions=[9])
    with pytest.raises(ScoreRefused, match=r"^itwiki:damaging:9:0\.5\.1: RevisionNotFound"):
        ask(here, "itwiki:damaging:9:0.5.1").get(timeout=PATIENCE_SECONDS)


def test_the_command_shows_scores_of_all_models_of_a_wiki(here: Running) -> None:
    here.save([sample_edits("itwiki", 62)[0]])
    here.until_all_is_kept()
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", "score", "itwiki", "900", "901", "--json"],
        capture_output=True,
        text=True,
        env=here.environment,
    )

    assert done.returncode == 0, done.stderr
    assert {name: entry["score"]["probability"] for name, entry in json.loads(done.stdout).items()} == {
        f"itwiki:{model}:{revision}:0.5.1": probabilities(0, "itwiki", model, revision)
        for revision in (900, 901)
        for model in ("damaging", "goodfaith")
    }
