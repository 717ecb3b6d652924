"""Whatever goes wrong in a task ends there, and is told in one line with its cure, at most once a minute."""

import asyncio
import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy import insert
from structlog.testing import capture_logs

import worker.tasks.running as running
from outbox import EDITS
from outbox.database import Database, Engines
from outbox.errors import DatabaseRefuses, DatabaseUnavailable, ServerGone
from tests.clock import Clock
from worker.domain.errors import EndpointUnavailable
from worker.tasks.running import LONGEST_MESSAGE, Troubles, is_resting, reported

ADDRESS = "192.0.2.77"


class Number(BaseModel):
    number: int


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(running, "_troubles", Troubles(clock))
    return clock


def lines_of(error: BaseException, *, times: int = 1, wiki: str = "enwiki") -> list[str]:
    with capture_logs() as logs:
        for _ in range(times):
            with reported("turn", wiki, "outbox"):
                raise error
    return [line["error"] for line in logs]


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError(), MemoryError()])
def test_nothing_leaves_a_task(error: BaseException) -> None:
    (line,) = lines_of(error)

    assert line.startswith(type(error).__name__)


def test_an_error_with_a_cure_is_told_as_it_is() -> None:
    assert lines_of(EndpointUnavailable("no reply; start it")) == ["no reply; start it"]


def test_an_error_that_nobody_foresaw_is_told_with_its_type_and_its_place() -> None:
    def decode() -> None:
        json.loads("{")

    with capture_logs() as logs, reported("turn", "enwiki"):
        decode()

    assert logs[0]["error"].startswith("JSONDecodeError: Expecting property name")
    # None of our packages took part, so it is the place itself.
    assert "(at decoder.py:" in logs[0]["error"]


def test_the_place_is_in_our_code_where_that_took_part() -> None:
    with capture_logs() as logs, reported("turn", "enwiki"):
        EndpointUnavailable("no", failure=object(), unknown=1)  # type: ignore[call-arg,arg-type]
    assert "TypeError" in logs[0]["error"]

    with capture_logs() as logs, reported("turn", "frwiki"):
        running.described(None)  # type: ignore[arg-type]
    assert "(at worker/tasks/running.py:" in logs[0]["error"]


def test_a_line_is_one_line_of_bounded_length() -> None:
    (line,) = lines_of(RuntimeError("many\nlines " * 1000))

    assert "\n" not in line
    assert len(line) < LONGEST_MESSAGE + 100


def test_what_was_read_is_not_told() -> None:
    with pytest.raises(ValidationError) as caught:
        Number.model_validate({"number": ADDRESS})

    (line,) = lines_of(caught.value)

    assert "Number: number: Input should be a valid integer" in line
    assert ADDRESS not in line


def test_what_was_to_be_written_is_not_told(database: Database) -> None:
    with capture_logs() as logs, reported("turn", "enwiki"), database.transaction() as session:
        session.execute(insert(EDITS.messages).values(id=1, payload=ADDRESS))
        session.execute(insert(EDITS.messages).values(id=1, payload=ADDRESS))

    assert [line["event"] for line in logs] == ["task_failed"]
    assert logs[0]["error"].startswith("enwiki: the database ")
    assert ADDRESS not in logs[0]["error"]
    assert "INSERT" not in logs[0]["error"]


def test_the_same_is_told_once_a_minute_with_how_often_it_was_met(clock: Clock) -> None:
    refused = DatabaseRefuses("refused; GRANT it")
    assert lines_of(refused, times=5) == ["refused; GRANT it"]
    clock.now += 60

    with capture_logs() as logs, reported("turn", "enwiki", "outbox"):
        raise refused

    assert [line["repeated"] for line in logs] == [4]


def test_another_wiki_another_task_and_another_kind_are_told_at_once() -> None:
    refused = DatabaseRefuses("refused; GRANT it")
    lines_of(refused)

    assert lines_of(refused, wiki="frwiki")
    assert lines_of(EndpointUnavailable("no reply"))
    with capture_logs() as logs, reported("turn", "enwiki", "event_outbox"):
        raise refused
    assert len(logs) == 1


def test_what_is_known_of_the_server_is_not_told_by_each_of_its_wikis() -> None:
    assert lines_of(ServerGone("gone")) == []


def test_a_lane_that_failed_is_let_be_for_a_while_and_others_are_not(clock: Clock) -> None:
    lines_of(RuntimeError("no"))

    assert is_resting("turn", "enwiki", "outbox")
    assert not is_resting("turn", "frwiki", "outbox")
    assert not is_resting("turn", "enwiki", "event_outbox")
    clock.now += running.REST_SECONDS
    assert not is_resting("turn", "enwiki", "outbox")


def test_a_database_that_is_not_there_is_tried_as_soon_as_it_is() -> None:
    lines_of(DatabaseUnavailable("gone"))

    assert not is_resting("turn", "enwiki", "outbox")


def test_a_pool_time_out_is_one_line_with_its_cure(tmp_path: Path) -> None:
    engines = Engines(places=1, seconds=1)
    database = engines.open("enwiki", f"sqlite:///{tmp_path}/enwiki.db")
    with (
        database.engine.connect(),
        pytest.MonkeyPatch.context() as patched,
        capture_logs() as logs,
        reported("turn", "enwiki"),
    ):
        patched.setattr(database.engine.pool, "_timeout", 0.05)
        with database.reading():
            pass
    engines.close()

    assert "has no connection of our pool free" in logs[0]["error"]
    assert "worker.threads" in logs[0]["error"]
