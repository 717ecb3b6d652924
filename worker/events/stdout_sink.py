"""Events on standard output, a line each, for whoever reads the worker's."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from outbox import lane
from worker.config.settings_sections import SinkSection
from worker.events.sinks import DeliveryFailure, OutgoingEvent, SinkKind, all_unavailable

DESCRIPTOR = 1


class StdoutSection(SinkSection):
    """Events on the worker's standard output."""


class StdoutSink:
    """Lines of several processes that share one standard output do not mix."""

    def send(self, events: Sequence[OutgoingEvent]) -> Mapping[int, DeliveryFailure]:
        view = memoryview("".join(f"{event.body}\n" for event in events).encode())
        try:
            with _alone():
                while view:
                    view = view[os.write(DESCRIPTOR, view) :]
        except OSError as error:
            return all_unavailable(
                events, f"events can't be written to standard output: {error.strerror}; remove sinks.stdout"
            )
        return {}

    def close(self) -> None:
        """Standard output is not ours to close."""


@contextmanager
def _alone() -> Iterator[None]:
    """Hold a lock on what standard output is, through a descriptor that shares nothing with other processes'."""
    try:
        # A named pipe that nobody reads must not make us wait for a reader.
        own = os.open(f"/proc/self/fd/{DESCRIPTOR}", os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
    except OSError:
        # A socket can't be opened again; its reader has one writer. Of a pipe without reader the write tells.
        yield
        return
    try:
        fcntl.flock(own, fcntl.LOCK_EX)
        yield
    finally:
        os.close(own)


STDOUT = SinkKind(name="stdout", section=StdoutSection, lane=lane("event_outbox_stdout"), open=lambda *_: StdoutSink())
