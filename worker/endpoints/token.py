"""A bearer token that is read from a file, into which another program writes each new one."""

import asyncio
import time
from pathlib import Path

from worker.domain.errors import EndpointUnavailable

#: Seconds between two looks at the file.
LOOK_AGAIN_SECONDS = 10.0
#: Bytes at most; a longer file is not a token.
LONGEST = 16_384


class TokenFile:
    """Reads the token, and reads it again when the file may have changed."""

    def __init__(self, file: Path, setting: str) -> None:
        self._file = file
        self._setting = setting
        self._header = ""
        self._read_at = float("-inf")

    async def header(self) -> str:
        """The value of the Authorization header.

        Raises:
            EndpointUnavailable: the file can't be read, or holds no token.
        """
        if time.monotonic() - self._read_at > LOOK_AGAIN_SECONDS:
            # Not in the event loop: a file system can hang.
            self._header = f"Bearer {await asyncio.to_thread(self._read)}"
            self._read_at = time.monotonic()
        return self._header

    def _read(self) -> str:
        try:
            with self._file.open(encoding="ascii") as file:
                token = file.read(LONGEST + 1).strip()
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            sentence = f"{self._setting}: {self._file} can't be read: {why}; correct the file"
            raise EndpointUnavailable(sentence) from error
        if not token or len(token) > LONGEST or not token.isprintable() or " " in token:
            raise EndpointUnavailable(f"{self._setting}: {self._file} holds no token; write it there, on one line")
        return token
