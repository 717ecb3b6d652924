"""Reading from a socket until a deadline: the socket's own time-out begins anew with each byte that comes."""

from io import RawIOBase
from math import inf
from socket import socket
from time import monotonic
from typing import Any

#: How much longer than to the deadline a socket may wait; what comes soon then costs no system call.
SLACK_SECONDS = 0.05


def deadline_in(seconds: float | None) -> float:
    """The moment in *seconds*, as `time.monotonic` has it; None: never."""
    return inf if seconds is None else monotonic() + seconds


class BoundedReading(RawIOBase):
    """Fills a buffer from *file*, which reads from *connected*, until *deadline*."""

    def __init__(self, file: Any, connected: socket, deadline: float) -> None:
        self._file, self._socket = file, connected
        self._timeout = self._longest = connected.gettimeout() or inf
        self._deadline = deadline

    def begin(self, seconds: float | None) -> None:
        """Read for *seconds* from now on; what is written first has all of the socket's time-out again."""
        self._deadline = deadline_in(seconds)
        if self._timeout != self._longest:
            self._wait(self._longest)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """As that of any file.

        Raises:
            TimeoutError: nothing came before the deadline, or it was over.
        """
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        if left < self._timeout - SLACK_SECONDS:
            self._wait(left)
        read: int | None = self._file.readinto(buffer)
        return read

    def close(self) -> None:
        self._file.close()
        super().close()

    def _wait(self, seconds: float) -> None:
        self._socket.settimeout(seconds)
        self._timeout = seconds
