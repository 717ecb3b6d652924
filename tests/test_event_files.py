"""Events are found in whichever file the sink put them, and those that come later from where one had read to."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests import event_files
from tests.builders import an_event
from tests.event_files import STREAM, bytes_in, events_in, lines_in
from worker.events.file_sink import FileSink

YESTERDAY = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()
FILE = f"{STREAM}.ndjson"


def send(directory: Path, *bodies: str, max_bytes: int = 10**9) -> None:
    assert FileSink(directory, max_bytes=max_bytes).send([an_event(stream=STREAM, body=each) for each in bodies]) == {}


def let_midnight_pass(directory: Path) -> None:
    """The day of the newest file is over."""
    os.utime(directory / FILE, (YESTERDAY, YESTERDAY))


def test_events_of_both_days_are_found_in_their_order(tmp_path: Path) -> None:
    send(tmp_path, '{"n": 1}', '{"n": 2}')
    let_midnight_pass(tmp_path)
    send(tmp_path, '{"n": 3}')

    assert len(list(tmp_path.iterdir())) == 2
    assert events_in(tmp_path) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_files_that_were_full_come_before_the_one_that_is_not(tmp_path: Path) -> None:
    for n in range(3):
        send(tmp_path, str(n), max_bytes=1)

    assert lines_in(tmp_path) == b"0\n1\n2\n"


def test_who_has_read_a_part_gets_the_rest_on_whichever_day(tmp_path: Path) -> None:
    send(tmp_path, "1")
    read = len(lines_in(tmp_path))
    send(tmp_path, "2")
    let_midnight_pass(tmp_path)
    send(tmp_path, "3")

    assert lines_in(tmp_path, read) == b"2\n3\n"
    assert lines_in(tmp_path, read + 4) == b""


def test_a_half_line_waits_for_its_end(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"1\n2")

    assert lines_in(tmp_path) == b"1\n"
    assert bytes_in(tmp_path) == b"1\n2"


def test_a_stream_that_nobody_wrote_to_has_no_events(tmp_path: Path) -> None:
    (tmp_path / "another.ndjson").write_text("1\n")

    assert events_in(tmp_path) == []
    assert events_in(tmp_path / "missing") == []


def test_nothing_is_missed_if_midnight_comes_between_the_look_and_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(tmp_path, "1")
    look, looks = event_files._files, 0

    def then_midnight(directory: Path) -> list[Path]:
        nonlocal looks
        looks += 1
        found = look(directory)
        if looks == 1:
            let_midnight_pass(directory)
            send(directory, "2")
        return found

    monkeypatch.setattr(event_files, "_files", then_midnight)

    assert lines_in(tmp_path) == b"1\n2\n"
