"""Events on standard output, a line each; a slow reader is waited for, but not for ever."""

import fcntl
import os
import select
import threading
import time
from collections.abc import Mapping, Sequence

from pydantic import Field

from outbox import lane
from worker.config.settings_sections import SinkSection
from worker.events.sinks import DeliveryFailure, OutgoingEvent, SinkKind, SinkUnavailable, all_unavailable

DESCRIPTOR = 1
#: Bytes that can be written without waiting if anything can, even through a descriptor that would wait.
PIECE = select.PIPE_BUF
#: Seconds between two looks whether another process is done.
LOOK_SECONDS = 0.02


class StdoutSection(SinkSection):
    """Events on the worker's standard output."""

    timeout_seconds: float = Field(
        default=20, gt=0, le=600, description="For the events of one batch; a slower reader gets the rest later."
    )

    @property
    def longest_send_seconds(self) -> float:
        return self.timeout_seconds


class StdoutSink:
    """Writes lines; those of several processes that share one standard output do not mix."""

    def __init__(self, *, timeout_seconds: float, descriptor: int = DESCRIPTOR) -> None:
        self._timeout = timeout_seconds
        self._descriptor = descriptor
        #: Held by the thread that writes in this process, and given back by the one that ends its last line.
        self._writing = threading.Lock()

    def send(self, events: Sequence[OutgoingEvent]) -> Mapping[int, DeliveryFailure]:
        until = time.monotonic() + self._timeout
        cure = "remove sinks.stdout, or see to its reader"
        if not self._writing.acquire(timeout=self._timeout):
            return all_unavailable(events, f"whoever reads standard output took nothing for a while; {cure}")
        turn = _Turn(self._descriptor)
        try:
            lines = [f"{event.body}\n".encode() for event in events]
            written = turn.write(lines, until) if turn.lock(until) else 0
        except OSError as error:
            turn.rest = b""
            return all_unavailable(
                events, f"events can't be written to standard output: {error.strerror}; remove sinks.stdout"
            )
        finally:
            self._leave(turn)
        late = f"whoever reads standard output did not take all within {self._timeout:g} s; {cure}"
        return dict.fromkeys(range(written, len(events)), SinkUnavailable(late))

    def close(self) -> None:
        """Standard output is not ours to close."""

    def _leave(self, turn: "_Turn") -> None:
        """Let others write; but first end a line that was begun, however long that takes, since lines would mix."""

        def end() -> None:
            turn.end()
            self._writing.release()

        if turn.rest:
            threading.Thread(target=end, name="stdout-line", daemon=True).start()
        else:
            end()


class _Turn:
    """One writer's time at standard output, through a descriptor of its own."""

    def __init__(self, descriptor: int) -> None:
        #: The part of a begun line that is still to be written.
        self.rest = b""
        self._descriptor = descriptor
        self._own: int | None = None
        try:
            # A named pipe that nobody reads must not make us wait for a reader.
            self._own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
        except OSError:
            # A socket can't be opened again, but its reader has only one writer. For a pipe without a reader the write
            # fails.
            return

    def lock(self, until: float) -> bool:
        """Whether no other process writes; waits for that *until* a time."""
        while self._own is not None:
            try:
                fcntl.flock(self._own, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    return False
                time.sleep(LOOK_SECONDS)
            else:
                break
        return True

    def write(self, lines: Sequence[bytes], until: float) -> int:
        """How many of *lines* were written *until* then; if all fit, in one go."""
        left = len(self._written(b"".join(lines), until))
        for number in reversed(range(len(lines))):
            if left < len(lines[number]):
                self.rest = lines[number][-left:] if left else b""
                return number + (not left)
            left -= len(lines[number])
        return 0

    def end(self) -> None:
        """Write what is left of the last line, and let others write."""
        try:
            self.rest = self._written(self.rest, None)
        except OSError:
            # Nobody reads it any more.
            self.rest = b""
        if self._own is not None:
            os.close(self._own)

    def _written(self, line: bytes, until: float | None) -> bytes:
        """What is left of *line* at that time; without a limit, nothing."""
        here, most = (self._descriptor, PIECE) if self._own is None else (self._own, len(line))
        waiting = select.poll()
        waiting.register(here, select.POLLOUT)
        view = memoryview(line)
        while view:
            left = None if until is None else max(0.0, until - time.monotonic()) * 1000
            if not waiting.poll(left):
                break
            try:
                view = view[os.write(here, view[:most]) :]
            except BlockingIOError:
                time.sleep(LOOK_SECONDS)
        return bytes(view)


STDOUT = SinkKind(
    name="stdout",
    section=StdoutSection,
    lane=lane("event_outbox_stdout"),
    open=lambda section, *_: StdoutSink(timeout_seconds=section.timeout_seconds),
)
