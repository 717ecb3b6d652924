"""`outpatrol status`, and what other commands share with it: edits that wait are an alarm, no wiki hides another."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from outbox import EDITS, Lane, record, record_payloads
from outbox.columns import database_now
from outbox.database import Database
from tests.acceptance.commands import write_settings
from tests.builders import edits
from tests.cli.conftest import Run
from tests.cli.upkeep import wikis
from tests.worker.watching.ledger import write
from worker.events.kinds import EVENT_LANES
from worker.scores.own_tables import BACKFILL

STREAM = "mediawiki.revision-score"
#: The lanes of all sinks, in the order of these.
OF_SINKS = [lane.name for lane in EVENT_LANES.values()]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def let_edits_wait(database: Database, age: timedelta, lane: Lane = EDITS) -> None:
    with database.transaction() as session:
        record_payloads(session, lane, [edit.encode() for edit in edits(10)])
        session.execute(lane.messages.update().values(recorded_at=database_now(-age)))


def lanes_listed(run: Run) -> list[str]:
    return list(json.loads(run("status", "--json").stdout)["enwiki"])


def test_edits_that_nobody_scores_are_an_alarm(wiki: Database, run: Run) -> None:
    let_edits_wait(wiki, timedelta(minutes=10))

    result = run("status")

    assert result.exit_code == 3
    assert "alarm: enwiki: the oldest edit has waited for 60" in result.stderr
    assert "see whether workers run" in result.stderr


def test_edits_that_were_saved_just_now_are_none(wiki: Database, run: Run) -> None:
    let_edits_wait(wiki, timedelta(0))

    assert run("status").exit_code == 0


def test_how_long_an_edit_may_wait_can_be_told(wiki: Database, run: Run) -> None:
    let_edits_wait(wiki, timedelta(minutes=2))

    assert run("status", "--max-lag", "3m").exit_code == 0
    assert run("status", "--max-lag", "1m", "--json").exit_code == 3


def test_edits_of_the_past_may_wait(wiki: Database, run: Run) -> None:
    let_edits_wait(wiki, timedelta(days=2), BACKFILL)

    assert run("status").exit_code == 0


def test_events_that_a_sink_does_not_take_are_an_alarm_here_too(wiki: Database, run: Run) -> None:
    let_edits_wait(wiki, timedelta(minutes=10), EVENT_LANES["file"])

    result = run("status")

    assert result.exit_code == 3
    assert "alarm: enwiki: file: the oldest event has waited for 60" in result.stderr


def test_streams_have_an_alarm_for_edits_from_which_no_events_come(wiki: Database, run: Run) -> None:
    write(wiki, 1, stream=STREAM)
    let_edits_wait(wiki, timedelta(seconds=2))

    result = run("streams", "--max-lag", "1s")

    assert result.exit_code == 3
    assert "alarm: enwiki: the oldest edit has waited for" in result.stderr
    assert run("streams", "--max-lag", "1h").exit_code == 0


def test_only_lanes_that_are_served_are_listed(wiki: Database, run: Run) -> None:
    listed = lanes_listed(run)

    assert [lane for lane in listed if lane in OF_SINKS] == ["event_outbox"]
    assert {"outbox", "backfill_outbox"} <= {*listed}


def test_a_lane_that_lost_its_sink_is_listed_while_it_holds_something(wiki: Database, run: Run) -> None:
    let_edits_wait(wiki, timedelta(0), EVENT_LANES["kafka"])

    assert [lane for lane in lanes_listed(run) if lane in OF_SINKS] == ["event_outbox", "event_outbox_kafka"]


@pytest.fixture
def beside_a_dead_one(wiki: Database, tmp_path: Path, run: Run) -> Database:
    """Beside enwiki, whose edits wait, a wiki whose database can't be read; it comes before enwiki."""
    with wiki.transaction() as session:
        record(session, *edits(1))
    write(wiki, 1, stream=STREAM)
    (tmp_path / "dewiki.db").write_text("no database" * 100)
    urls = {"dewiki": f"sqlite:///{tmp_path}/dewiki.db", "enwiki": f"sqlite:///{tmp_path}/enwiki.db"}
    write_settings(tmp_path, wikis=wikis(**urls))
    return wiki


EACH = ["status", "streams", "models list", "thresholds", "dead-letters list", "migrate"]


@pytest.mark.parametrize("command", EACH)
def test_a_dead_database_has_a_row_and_hides_no_wiki(command: str, beside_a_dead_one: Database, run: Run) -> None:
    result = run(*command.split())

    shown = result.stdout + result.stderr
    assert result.exit_code == 1
    assert "outpatrol: dewiki: the database sqlite:///" in result.stderr
    assert "is a file of another kind" in result.stderr
    if command not in {"migrate", "dead-letters list"}:
        assert "dewiki" in [line.split()[0] for line in result.stdout.splitlines()]
    assert "enwiki" in shown or command == "dead-letters list"


@pytest.mark.parametrize("command", EACH)
def test_a_dead_database_has_its_error_in_the_json(command: str, beside_a_dead_one: Database, run: Run) -> None:
    result = run(*command.split(), "--json")

    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert set(document) == {"dewiki", "enwiki"}
    assert "is a file of another kind" in document["dewiki"]["error"]


def test_an_alarm_beside_a_dead_database_keeps_its_code(beside_a_dead_one: Database, run: Run) -> None:
    let_edits_wait(beside_a_dead_one, timedelta(hours=1))

    result = run("status")

    assert result.exit_code == 3
    assert "outpatrol: dewiki: " in result.stderr
