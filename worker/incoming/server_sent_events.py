"""Server-sent events, made from the bytes of a stream as they come in; each has a limit of length. Pure.

Source of the rules: HTML Living Standard, 9.2.6, interpreting an event stream.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Bytes of one event with all its lines, at most; the Kafka behind EventStreams takes 4 MB in one message.
LONGEST_EVENT = 8_000_000
#: Bytes of an id, at most; it is sent back in the header of a request, which servers limit to some 16 KB.
LONGEST_ID = 8_000

_LINE_END = re.compile(rb"\r\n|\n|\r")


class StreamBroken(Exception):
    """The stream can't be read any further over this connection; the text says why."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event; without data if the stream only sent an id or a time to wait."""

    event: str
    data: str
    #: The last id that was sent, here or before; empty without one.
    id: str
    #: Milliseconds to wait before connecting again, if they were sent here.
    retry: int | None


class EventStream:
    """Puts events together; *longest* is in bytes, and it never holds much more than that."""

    def __init__(self, longest: int = LONGEST_EVENT) -> None:
        self._longest = longest
        self._is_first = True
        self._ended_in_cr = False
        self._line = bytearray()
        self._data = bytearray()
        self._event = self._id = ""
        self._retry: int | None = None
        self._is_told = False

    @property
    def is_between(self) -> bool:
        """Whether no event has begun, and no line."""
        return not self._line and not self._is_told

    def take(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """The events that end in *chunk*.

        Raises:
            StreamBroken: a line or an event that has no end.
        """
        if not chunk:
            return
        # The second half of a line's end.
        rest = chunk.removeprefix(b"\n") if self._ended_in_cr else chunk
        self._ended_in_cr = chunk.endswith(b"\r")
        *ends, rest = _LINE_END.split(rest)
        for end in ends:
            self._add(end)
            line = bytes(self._line)
            self._line.clear()
            if self._is_first:
                line, self._is_first = line.removeprefix(codecs.BOM_UTF8), False
            if line:
                self._read(line)
            elif self._is_told:
                yield self._done()
        self._add(rest)

    def _add(self, part: bytes) -> None:
        self._line += part
        if len(self._line) + len(self._data) > self._longest:
            raise StreamBroken(f"it sends an event of more than {self._longest} bytes, which can't be right")

    def _read(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data += value + b"\n"
            case b"event":
                self._event = value.decode(errors="replace")
            case b"id" if len(value) > LONGEST_ID:
                raise StreamBroken(f"it sends an id of more than {LONGEST_ID} bytes, which can't be right")
            case b"id" if b"\0" not in value:
                self._id = value.decode(errors="replace")
            case b"retry" if value.isdigit():
                # A longer wait than a century makes no difference.
                self._retry = int(value[:12])
            case _:
                return
        self._is_told = True

    def _done(self) -> ServerSentEvent:
        data = self._data.decode(errors="replace").removesuffix("\n")
        done = ServerSentEvent(self._event, data, self._id, self._retry)
        self._data.clear()
        self._event, self._retry, self._is_told = "", None, False
        return done
