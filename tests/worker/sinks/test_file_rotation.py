"""Files of the file sink are set aside when they are large or of an earlier day, and no line is lost by that."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.builders import an_event
from tests.worker.sinks.appending import EVENTS_OF_A_PROCESS, NEVER, append_at_once, ids_of
from worker.events.file_sink import FileSink

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(params=["Pacific/Kiritimati", "Pacific/Niue"])
def far_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """A time zone in which it is hardly ever the day that it is in UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


def send(directory: Path, *bodies: str, stream: str = "s", max_bytes: int = NEVER) -> None:
    sink = FileSink(directory, max_bytes=max_bytes)
    assert sink.send([an_event(stream=stream, body=body) for body in bodies]) == {}


def last_written(file: Path, moment: datetime) -> None:
    os.utime(file, (moment.timestamp(), moment.timestamp()))


def contents(directory: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted(directory.iterdir())}


def test_a_file_that_has_grown_to_its_size_is_set_aside(tmp_path: Path) -> None:
    send(tmp_path, "1234", max_bytes=5)
    last_written(tmp_path / "s.ndjson", NOON)
    send(tmp_path, "5678", max_bytes=5)

    assert contents(tmp_path) == {"s.20260131.001.ndjson": "1234\n", "s.ndjson": "5678\n"}


def test_a_file_that_may_still_grow_is_kept(tmp_path: Path) -> None:
    send(tmp_path, "1234", max_bytes=6)
    send(tmp_path, "5678", max_bytes=6)

    assert contents(tmp_path) == {"s.ndjson": "1234\n5678\n"}


def test_what_is_sent_at_once_stays_together_however_large(tmp_path: Path) -> None:
    send(tmp_path, "1234", "5678", max_bytes=5)

    assert contents(tmp_path) == {"s.ndjson": "1234\n5678\n"}


def test_a_file_of_an_earlier_day_is_set_aside(tmp_path: Path) -> None:
    send(tmp_path, "old")
    last_written(tmp_path / "s.ndjson", NOON)
    send(tmp_path, "new")

    assert contents(tmp_path) == {"s.20260131.001.ndjson": "old\n", "s.ndjson": "new\n"}


@pytest.mark.usefixtures("far_zone")
def test_days_are_those_of_utc_wherever_the_worker_is(tmp_path: Path) -> None:
    for moment in (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)):
        send(tmp_path, "old")
        last_written(tmp_path / "s.ndjson", moment)
    send(tmp_path, "new")

    assert set(contents(tmp_path)) == {"s.20260131.001.ndjson", "s.20260131.002.ndjson", "s.ndjson"}


def test_an_earlier_day_is_kept_though_it_ended_with_half_a_line(tmp_path: Path) -> None:
    (tmp_path / "s.ndjson").write_text('old\n{"half": ')
    last_written(tmp_path / "s.ndjson", NOON)
    send(tmp_path, "new")

    assert contents(tmp_path) == {"s.20260131.001.ndjson": "old\n", "s.ndjson": "new\n"}


def test_an_empty_file_of_an_earlier_day_is_not_worth_a_name(tmp_path: Path) -> None:
    (tmp_path / "s.ndjson").touch()
    last_written(tmp_path / "s.ndjson", NOON)
    send(tmp_path, "new")

    assert contents(tmp_path) == {"s.ndjson": "new\n"}


def test_files_of_one_day_are_numbered(tmp_path: Path) -> None:
    for number in range(12):
        send(tmp_path, str(number), max_bytes=1)
        last_written(tmp_path / "s.ndjson", NOON)

    aside = {f"s.20260131.{number + 1:03}.ndjson": f"{number}\n" for number in range(11)}
    assert contents(tmp_path) == aside | {"s.ndjson": "11\n"}


def test_a_set_aside_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "s.20260131.001.ndjson").write_text("precious\n")
    send(tmp_path, "old")
    last_written(tmp_path / "s.ndjson", NOON)
    send(tmp_path, "new")

    assert contents(tmp_path)["s.20260131.001.ndjson"] == "precious\n"
    assert contents(tmp_path)["s.20260131.002.ndjson"] == "old\n"


def test_a_stream_with_dots_keeps_its_whole_name(tmp_path: Path) -> None:
    send(tmp_path, "old", stream="mediawiki.page_change.v1")
    last_written(tmp_path / "mediawiki.page_change.v1.ndjson", NOON)
    send(tmp_path, "new", stream="mediawiki.page_change.v1")

    assert set(contents(tmp_path)) == {
        "mediawiki.page_change.v1.20260131.001.ndjson",
        "mediawiki.page_change.v1.ndjson",
    }


def test_streams_are_set_aside_one_without_the_other(tmp_path: Path) -> None:
    for stream in ("a", "b"):
        send(tmp_path, "old", stream=stream)
    last_written(tmp_path / "a.ndjson", NOON)
    for stream in ("a", "b"):
        send(tmp_path, "new", stream=stream)

    assert contents(tmp_path) == {"a.20260131.001.ndjson": "old\n", "a.ndjson": "new\n", "b.ndjson": "old\nnew\n"}


def test_a_file_that_was_taken_away_is_made_anew(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, max_bytes=NEVER)
    sink.send([an_event(body="1")])
    (tmp_path / "s.ndjson").rename(tmp_path / "taken")
    sink.send([an_event(body="2")])

    assert contents(tmp_path) == {"s.ndjson": "2\n", "taken": "1\n"}


def test_processes_that_set_files_aside_at_once_lose_and_tear_no_line(tmp_path: Path) -> None:
    # Two lines fill a file, so that nearly every write comes upon another's setting aside.
    assert append_at_once(tmp_path, "abc", max_bytes=10_000) == [0, 0, 0]

    files = list(tmp_path.iterdir())
    ids = ids_of(files)
    assert len(set(ids)) == len(ids) == 3 * EVENTS_OF_A_PROCESS
    assert len(files) == 3 * EVENTS_OF_A_PROCESS / 2


def test_lines_of_one_process_stay_in_order_over_all_files(tmp_path: Path) -> None:
    append_at_once(tmp_path, "ab", max_bytes=10_000)

    ids = ids_of(sorted(tmp_path.iterdir()))
    of_a = [int(each.removeprefix("a-")) for each in ids if each.startswith("a")]
    assert of_a == list(range(EVENTS_OF_A_PROCESS))
