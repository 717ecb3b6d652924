"""The content of a reply, unpacked while it comes in, up to a limit. Pure."""

import zlib
from collections.abc import Sequence

#: Packings that we asked for; zlib recognizes gzip and deflate by their first bytes.
KNOWN = {"gzip", "x-gzip", "deflate"}
#: Packings that nobody asked for: some turn a few bytes into gigabytes at once.
UNASKED = {"br", "zstd", "compress", "x-compress"}
ANY_HEADER = zlib.MAX_WBITS | 32


class UnreadableReply(ValueError):
    """The content is not what its header says, or too large; the text says which."""


class Unpacking:
    """Unpacks one reply as its bytes come; *encodings* are those of its Content-Encoding, *most* is in bytes."""

    def __init__(self, encodings: Sequence[str], most: int) -> None:
        """Raise UnreadableReply for what can't be unpacked within bounds."""
        names = [name for each in encodings if (name := each.strip().lower()) not in {"", "identity"}]
        # Each packing can make a chunk a thousand times larger.
        if len(names) > 1:
            raise UnreadableReply("a reply that is packed twice can't be right")
        if names and names[0] in UNASKED:
            raise UnreadableReply(f"a reply packed as {names[0]} was not asked for and can't be right")
        self._most = most
        self._taken = 0
        self._content = bytearray()
        self._stream = zlib.decompressobj(ANY_HEADER) if names and names[0] in KNOWN else None
        # Some servers send deflate without its header.
        self._may_be_headless = bool(names) and names[0] == "deflate"

    def take(self, chunk: bytes) -> None:
        """Unpack *chunk*, but no more than one byte above the limit; raises UnreadableReply there, and for bad data."""
        self._taken += len(chunk)
        self._content += chunk if self._stream is None else self._unpacked(chunk)
        if max(len(self._content), self._taken) > self._most:
            raise UnreadableReply(f"a reply of more than {self._most} bytes can't be right")

    def content(self) -> bytes:
        """Return all of it; raises UnreadableReply if the packed data broke off."""
        if self._stream is not None and self._taken and not self._stream.eof:
            raise UnreadableReply("a reply that breaks off within its packed data")
        return bytes(self._content)

    def _unpacked(self, chunk: bytes) -> bytes:
        room = self._most + 1 - len(self._content)
        assert self._stream is not None  # noqa: S101 - by the caller
        try:
            unpacked = self._stream.decompress(chunk, room)
        except zlib.error as error:
            if not self._may_be_headless:
                raise UnreadableReply(f"a reply that is not packed as it says: {error}") from error
            self._may_be_headless = False
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._unpacked(chunk)
        self._may_be_headless = False
        return unpacked
