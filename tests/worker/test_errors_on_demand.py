"""What the tasks that answer requests log of errors, and how often."""

from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from outbox.errors import DatabaseRefuses
from worker.bootstrap import Services
from worker.domain.errors import CommandFailed
from worker.domain.scores import Score, ScoreId
from worker.endpoints.in_loop import ClientInLoop
from worker.scores import on_demand
from worker.tasks import documents, running
from worker.tasks.score import answer_to


@pytest.fixture(autouse=True)
def _nothing_went_wrong_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_troubles", running.Troubles())


def ask(services: Services, revision: int = 1) -> Score | None:
    return answer_to(services, services.wiki("enwiki"), ScoreId("enwiki", "damaging", revision, "0.5.1"))


@pytest.mark.parametrize("kind", [RuntimeError, ValueError])
def test_an_unforeseen_error_is_logged_once_however_many_ask(
    services: Services, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    async def break_down(*_: object) -> NoReturn:
        raise kind("nobody foresaw this")

    monkeypatch.setattr(ClientInLoop, "score", break_down)

    with capture_logs() as logs:
        for revision in (1, 1, 2):
            with pytest.raises(CommandFailed, match=f"^enwiki:damaging:{revision}:0.5.1: {kind.__name__}: nobody"):
                ask(services, revision)

    (line,) = logs
    assert (line["event"], line["wiki"]) == ("task_failed", "enwiki")
    assert line["error"].startswith(f"{kind.__name__}: nobody foresaw this (at ")


def test_an_error_of_the_database_is_logged_in_its_sentence(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise DatabaseRefuses("enwiki: its database is read-only")

    monkeypatch.setattr(on_demand, "_after_scoring", refuse)

    with capture_logs() as logs, pytest.raises(DatabaseRefuses):
        ask(services)

    assert [line["error"] for line in logs if line["event"] == "task_failed"] == ["enwiki: its database is read-only"]


@pytest.mark.parametrize("error", [RuntimeError("nobody foresaw this"), DatabaseRefuses("its database is read-only")])
def test_a_document_that_could_not_be_made_is_logged_once_however_many_ask(
    services: Services, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> NoReturn:
        raise error

    # Read by Celery as soon as a task is touched.
    monkeypatch.setattr("worker.app.load_settings", lambda: services.settings)
    monkeypatch.setattr(documents, "services", lambda: services)
    monkeypatch.setitem(documents.KINDS, "thresholds", fail)

    with capture_logs() as logs:
        for name in ("enwiki:thresholds", "enwiki:thresholds", "another name"):
            documents.document.run("thresholds", "enwiki", name)

    (line,) = logs
    assert (line["event"], line["task"], line["wiki"]) == ("task_failed", "document:thresholds", "enwiki")
    assert str(error) in line["error"]
