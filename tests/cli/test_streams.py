"""`outpatrol streams`: what went where lately, and silence and lag as alarms that a monitor can tell from errors."""

import json
from datetime import timedelta
from typing import Any

import pytest

from outbox import record_payloads
from outbox.columns import database_now
from outbox.database import Database
from tests.cli.conftest import Run
from tests.worker.watching.ledger import write
from worker.events.file_sink import FILE

STREAM = "mediawiki.revision-score"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def let_wait(database: Database, age: timedelta) -> None:
    with database.transaction() as session:
        record_payloads(session, FILE.lane, ["{}"])
        session.execute(FILE.lane.messages.update().values(recorded_at=database_now(-age)))


def document(run: Run, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("streams", "--json", *options).stdout)["enwiki"]
    return found


def test_streams_that_are_heard_are_no_alarm(wiki: Database, run: Run) -> None:
    write(wiki, 3, stream=STREAM)

    result = run("streams")

    assert result.exit_code == 0
    assert "alarm" not in result.stderr


def test_json_has_the_traffic_of_each_stream_and_the_lane_of_each_sink(wiki: Database, run: Run) -> None:
    write(wiki, 3, stream=STREAM)
    write(wiki, 2, stream=STREAM, age=2 * MINUTE)
    let_wait(wiki, MINUTE)

    found = document(run)

    (stream,) = found["streams"]
    assert (stream["sink"], stream["stream"]) == ("file", STREAM)
    assert (stream["last_minute"], stream["last_hour"]) == (3, 5)
    assert found["sinks"]["file"]["ready"] == 1
    assert found["alarms"] == []


def test_the_table_has_a_row_for_each_stream_heard_or_not(
    wiki: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTPATROL_EVENTS__STREAM", "scores")
    write(wiki, 3, stream="another")
    write(wiki, 2, stream="another", age=2 * MINUTE)

    rows = [line.split() for line in run("streams").stdout.splitlines()[1:]]

    assert [row[:5] for row in rows] == [
        ["enwiki", "file", "another", "3", "5"],
        ["enwiki", "file", "scores", "0", "0"],
    ]
    assert rows[1][5:8] == [">", "1", "day"]


def test_a_long_name_of_a_stream_is_shown_whole_however_narrow_the_terminal(wiki: Database, run: Run) -> None:
    assert "…" not in run("streams").stdout


def test_silence_is_an_alarm_with_a_code_of_its_own(wiki: Database, run: Run) -> None:
    write(wiki, 1, stream=STREAM, age=2 * HOUR)

    result = run("streams")

    assert result.exit_code == 3
    assert f"alarm: enwiki: file: no event on {STREAM} for 72" in result.stderr


def test_a_stream_on_which_nothing_was_ever_heard_is_an_alarm(wiki: Database, run: Run) -> None:
    result = run("streams")

    assert result.exit_code == 3
    assert f"no event on {STREAM} for a day" in result.stderr


def test_one_silent_stream_among_busy_ones_is_an_alarm(
    wiki: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTPATROL_EVENTS__STREAM_OF_MODEL", "scores.")
    write(wiki, 3, stream="scores.damaging")

    result = run("streams")

    assert result.exit_code == 3
    assert "no event on scores.goodfaith for a day" in result.stderr
    assert "scores.damaging for" not in result.stderr


def test_predictions_that_nobody_hears_are_an_alarm(wiki: Database, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTPATROL_EVENTS__PREDICTION_STREAMS", '{"damaging": "predictions", "draftquality": "others"}')
    write(wiki, 3, stream=STREAM)

    assert document(run)["alarms"] == ["file: no event on predictions for a day"]


def test_how_long_a_silence_may_be_can_be_told(wiki: Database, run: Run) -> None:
    write(wiki, 1, stream=STREAM, age=2 * HOUR)

    assert run("streams", "--max-silence", "3h").exit_code == 0
    assert run("streams", "--max-silence", "90m").exit_code == 3


def test_an_event_that_waits_for_long_is_an_alarm(wiki: Database, run: Run) -> None:
    write(wiki, 1, stream=STREAM)
    let_wait(wiki, 10 * MINUTE)

    result = run("streams")

    assert result.exit_code == 3
    assert "alarm: enwiki: file: the oldest event has waited for 60" in result.stderr


def test_how_long_an_event_may_wait_can_be_told(wiki: Database, run: Run) -> None:
    write(wiki, 1, stream=STREAM)
    let_wait(wiki, 10 * MINUTE)

    assert run("streams", "--max-lag", "11m").exit_code == 0
    assert run("streams", "--max-lag", "9m").exit_code == 3


def test_alarms_are_in_the_json_too_and_end_it_with_the_same_code(wiki: Database, run: Run) -> None:
    result = run("streams", "--json")

    assert result.exit_code == 3
    assert json.loads(result.stdout)["enwiki"]["alarms"] == [f"file: no event on {STREAM} for a day"]


@pytest.mark.parametrize("option", ["--max-silence", "--max-lag"])
def test_a_duration_that_is_none_is_refused(option: str, wiki: Database, run: Run) -> None:
    result = run("streams", option, "3x")

    assert result.exit_code == 2
    assert "is not a duration" in result.stderr


def test_a_wiki_that_is_not_configured_is_told_in_a_sentence(wiki: Database, run: Run) -> None:
    result = run("streams", "--wiki", "nowiki")

    assert result.exit_code == 1
    assert "'nowiki' is no wiki of the settings" in result.stderr


def test_a_database_without_a_ledger_is_told_how_to_get_one(run: Run) -> None:
    result = run("streams")

    assert result.exit_code == 1
    assert "run: outpatrol migrate --wiki enwiki" in result.stderr
