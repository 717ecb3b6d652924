"""A reader of standard output who stands still: events wait, whole lines come later, and nobody else waits."""

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from outbox.database import Database
from tests.builders import an_event, edits
from tests.patience import PATIENCE_SECONDS, until
from tests.worker.announcing.fake_sinks import FakeSink
from tests.worker.announcing.publishers import promise, publish, with_sinks
from tests.worker.lines import status
from worker.bootstrap import Services
from worker.events.kinds import EVENT_LANES
from worker.events.sinks import OutgoingEvent, SinkUnavailable
from worker.events.stdout_sink import StdoutSink

SECONDS = 0.2
#: Of a pipe; each event is larger.
ROOM = 4096


class Reader:
    """The other end of a pipe, which takes nothing until it is told to."""

    def __init__(self, descriptor: int) -> None:
        self.text = b""
        self._descriptor = descriptor
        self._thread = threading.Thread(target=self._read_all)

    def read(self) -> None:
        self._thread.start()

    def ids(self) -> list[str]:
        """Those of all lines so far, every one of which must be whole."""
        return [json.loads(line)["id"] for line in self.text.splitlines(keepends=True) if line.endswith(b"\n")]

    def end(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()
        os.close(self._descriptor)

    def _read_all(self) -> None:
        while chunk := os.read(self._descriptor, 65536):
            self.text += chunk


@contextmanager
def a_pipe() -> Iterator[tuple[int, Reader]]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, ROOM)
    reader = Reader(reading)
    try:
        yield writing, reader
    finally:
        os.close(writing)
        reader.end()
        until(lambda: "stdout-line" not in {each.name for each in threading.enumerate()}, "the end of the last line")


def large(*numbers: int) -> list[OutgoingEvent]:
    return [an_event(body=json.dumps({"id": str(number), "padding": "x" * 3 * ROOM})) for number in numbers]


def test_a_reader_who_stands_still_is_waited_for_until_the_deadline_only() -> None:
    with a_pipe() as (writing, _):
        began = time.monotonic()
        failures = StdoutSink(timeout_seconds=SECONDS, descriptor=writing).send(large(1, 2, 3))

        assert time.monotonic() - began >= SECONDS

    said = "whoever reads standard output did not take all within 0.2 s; remove sinks.stdout, or see to its reader"
    assert failures == dict.fromkeys(range(3), SinkUnavailable(said))


def test_what_was_read_in_time_counts_as_delivered_and_the_rest_comes_later_in_whole_lines() -> None:
    with a_pipe() as (writing, reader):
        sink, other = (StdoutSink(timeout_seconds=SECONDS, descriptor=writing) for _ in range(2))
        assert set(sink.send(large(1, 2))) == {0, 1}
        # Nobody writes into a line that somebody else has begun, nor waits for longer than the deadline.
        assert set(other.send(large(3))) == set(sink.send(large(4))) == {0}
        reader.read()
        until(lambda: reader.ids() == ["1"], "the line that was begun")
        # However busy the machine is now.
        sink._timeout = other._timeout = PATIENCE_SECONDS

        assert sink.send(large(1, 2)) == other.send(large(3)) == {}
        until(lambda: reader.ids() == ["1", "1", "2", "3"], "the rest")


def test_a_reader_who_leaves_in_the_middle_of_a_line_frees_those_who_wait() -> None:
    with a_pipe() as (writing, reader):
        sink = StdoutSink(timeout_seconds=SECONDS, descriptor=writing)
        sink.send(large(1))
        reader.end()
        reader._descriptor = os.open(os.devnull, os.O_RDONLY)
        until(lambda: "stdout-line" not in {each.name for each in threading.enumerate()}, "the end of the last line")

        (failure,) = sink.send(large(2)).values()

    assert failure.reason == "events can't be written to standard output: Broken pipe; remove sinks.stdout"


def test_another_sink_goes_on_while_the_reader_of_standard_output_stands_still(
    services: Services, database: Database
) -> None:
    with a_pipe() as (writing, reader):
        stdout, other = StdoutSink(timeout_seconds=PATIENCE_SECONDS, descriptor=writing), FakeSink()
        here = with_sinks(services, stdout=stdout, eventgate=other)
        promise(here, edits(40))
        publishing = threading.Thread(target=publish, args=(here, "stdout"))
        publishing.start()
        until(stdout._writing.locked, "somebody who writes")

        publish(here, "eventgate")

        assert (len(other.revisions), publishing.is_alive()) == (40, True)
        assert status(database, EVENT_LANES["stdout"]).pending == 40
        reader.read()
        publishing.join()
        assert status(database, EVENT_LANES["stdout"]).pending == 0
        until(lambda: len(reader.text.splitlines()) == 40, "all lines")


def test_events_wait_where_the_deadline_is_over_and_burn_no_attempt(services: Services, database: Database) -> None:
    with a_pipe() as (writing, reader):
        here = with_sinks(services, stdout=StdoutSink(timeout_seconds=SECONDS, descriptor=writing))
        promise(here, edits(40))

        publish(here)
        waiting = status(database, EVENT_LANES["stdout"])
        reader.read()
        until(lambda: not any(each.name == "stdout-line" for each in threading.enumerate()), "the line that was begun")

        assert 0 < waiting.ready == waiting.pending <= 40
        until(
            lambda: status(database, EVENT_LANES["stdout"]).pending == 0,
            "the end of all events",
            meanwhile=lambda: publish(here),
        )


def test_lines_that_fit_count_as_delivered_beside_one_that_does_not() -> None:
    small = [an_event(body=json.dumps({"id": name})) for name in "ab"]
    with a_pipe() as (writing, reader):
        sink = StdoutSink(timeout_seconds=SECONDS, descriptor=writing)

        assert set(sink.send([*small, *large(1, 2)])) == {2, 3}
        reader.read()
        until(lambda: reader.ids() == ["a", "b", "1"], "what fits, and the line that was begun")
