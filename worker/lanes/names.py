"""Looking up names of hosts: one that takes long holds up no other.

libuv looks names up in two threads, which all loops of a process share (libuv/libuv src/threadpool.c, slow work), so
that two hosts whose name server does not answer would keep us from every host to which we have no connection.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

import uvloop

#: What a lookup is asked: host, port, family, type, protocol and flags.
_Question = tuple[Any, Any, int, int, int, int]


class NamingLoop(uvloop.Loop):
    """uvloop's, but each lookup has a thread of its own; there are few, since those who ask the same share one."""

    def __init__(self) -> None:
        super().__init__()
        self._lookups: dict[_Question, asyncio.Future[Any]] = {}

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's signature
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        question = (host, port, family, type, proto, flags)
        answer = self._lookups.get(question)
        if answer is None:
            answer = self._lookups[question] = self.create_future()
            threading.Thread(target=self._look_up, args=question, name="names", daemon=True).start()
        # Who gives up leaves it to the others, and to who asks next.
        return await asyncio.shield(answer)

    def _look_up(self, *question: Any) -> None:
        found, error = None, None
        try:
            found = socket.getaddrinfo(*question)
        except Exception as raised:  # noqa: BLE001 - such as UnicodeError; for those who asked
            error = raised
        with suppress(RuntimeError):
            # Raised by a loop that was closed meanwhile.
            self.call_soon_threadsafe(self._answer, question, found, error)

    def _answer(self, question: _Question, found: Any, error: Exception | None) -> None:
        answer = self._lookups.pop(question)
        if error is None:
            answer.set_result(found)
            return
        answer.set_exception(error)
        # If nobody waits for it any more, nobody is to be told.
        answer.exception()
