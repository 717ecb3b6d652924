"""The file sink: whole lines, one file a stream, shared by processes, and a sentence where it can't write."""

import json
from pathlib import Path

import pytest

from tests.builders import an_event
from tests.worker.sinks.appending import EVENTS_OF_A_PROCESS, append_at_once, ids_of, send_limited
from worker.events.file_sink import FileSink
from worker.events.sinks import OutgoingEvent, SinkUnavailable


def events(*bodies: str, stream: str = "s") -> list[OutgoingEvent]:
    return [an_event(stream=stream, body=body) for body in bodies]


def a_sink(directory: Path, max_bytes: int = 10**9) -> FileSink:
    return FileSink(directory, max_bytes=max_bytes)


def lines(directory: Path, stream: str = "s") -> list[str]:
    return (directory / f"{stream}.ndjson").read_text().splitlines()


def test_events_are_appended_in_their_order(tmp_path: Path) -> None:
    sink = a_sink(tmp_path / "events")

    sink.send(events("1", "2"))
    sink.send(events("3"))

    assert lines(tmp_path / "events") == ["1", "2", "3"]


def test_each_stream_has_a_file_of_its_own(tmp_path: Path) -> None:
    a_sink(tmp_path).send([*events("1", stream="a"), *events("2", stream="b"), *events("3", stream="a")])

    assert lines(tmp_path, "a") == ["1", "3"]
    assert lines(tmp_path, "b") == ["2"]


def test_nothing_to_send_leaves_no_file(tmp_path: Path) -> None:
    a_sink(tmp_path / "events").send([])

    assert not (tmp_path / "events").exists()


def test_letters_of_every_script_are_kept(tmp_path: Path) -> None:
    a_sink(tmp_path).send(events('{"title": "維基百科 🦉"}'))

    assert json.loads(lines(tmp_path)[0])["title"] == "維基百科 🦉"


def test_processes_that_share_a_file_do_not_mix_their_lines(tmp_path: Path) -> None:
    exit_codes = append_at_once(tmp_path, "abc")

    ids = ids_of([tmp_path / "shared.ndjson"])
    assert exit_codes == [0, 0, 0]
    assert len(set(ids)) == len(ids) == 3 * EVENTS_OF_A_PROCESS


@pytest.mark.parametrize("whole", ["", "1\n", "1\n2\n"])
@pytest.mark.parametrize("half", ['{"half": ', "x" * 70_000, "x" * 65_536, "x" * 131_072])
def test_half_a_line_from_a_crash_is_dropped(tmp_path: Path, whole: str, half: str) -> None:
    (tmp_path / "s.ndjson").write_text(whole + half)

    a_sink(tmp_path).send(events("next"))

    assert lines(tmp_path) == [*whole.splitlines(), "next"]


def test_whole_lines_are_never_dropped(tmp_path: Path) -> None:
    (tmp_path / "s.ndjson").write_text("1\n" * 1000)

    a_sink(tmp_path).send(events("2"))

    assert lines(tmp_path) == ["1"] * 1000 + ["2"]


def test_a_directory_that_can_not_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("a file in its place")

    failures = a_sink(tmp_path / "events").send(events("1"))

    reason = f"events can't be written to {tmp_path}/events/s.ndjson: File exists; correct sinks.file.directory"
    assert failures == {0: SinkUnavailable(reason)}


def test_a_file_that_can_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "s.ndjson").mkdir()

    (failure,) = a_sink(tmp_path).send(events("1")).values()

    assert failure.reason.endswith("s.ndjson: Is a directory; correct sinks.file.directory")


def test_a_full_disk_leaves_no_half_a_line(tmp_path: Path) -> None:
    (tmp_path / "s.ndjson").write_text("kept\n")

    failures = send_limited(tmp_path, events("1", "2" * 5000), most_bytes=4096)

    reason = f"events can't be written to {tmp_path}/s.ndjson: File too large; correct sinks.file.directory"
    assert failures == {0: SinkUnavailable(reason), 1: SinkUnavailable(reason)}
    assert (tmp_path / "s.ndjson").read_text() == "kept\n"


def test_a_full_disk_for_one_stream_holds_up_no_other(tmp_path: Path) -> None:
    mixed = [*events("1", stream="a"), *events("2" * 5000, stream="b"), *events("3", stream="a")]

    failures = send_limited(tmp_path, mixed, most_bytes=4096)

    assert list(failures) == [1]
    assert lines(tmp_path, "a") == ["1", "3"]


def test_events_go_where_they_belong_once_there_is_room_again(tmp_path: Path) -> None:
    send_limited(tmp_path, events("1" * 5000), most_bytes=4096)

    assert a_sink(tmp_path).send(events("1" * 5000, "2")) == {}
    assert lines(tmp_path) == ["1" * 5000, "2"]


def test_a_device_without_room_takes_no_event(tmp_path: Path) -> None:
    (tmp_path / "s.ndjson").symlink_to("/dev/full")

    failures = a_sink(tmp_path).send([*events("1"), *events("2", stream="other")])

    assert {place: type(failure) for place, failure in failures.items()} == {0: SinkUnavailable}
    assert lines(tmp_path, "other") == ["2"]


def test_closing_twice_does_no_harm(tmp_path: Path) -> None:
    sink = a_sink(tmp_path)
    sink.send(events("1"))

    sink.close()
    sink.close()
