"""A proxy before any TCP server of this machine: spoils what passes as networks, frozen hosts and dying processes do.

It runs in a thread of its own and can be told to behave otherwise at any time:

    pass         forwards everything
    hang         takes connections and requests, forwards nothing, and all of it later (a stopped process)
    black_hole   the same, but connections are not even taken: packets vanish
    mute         forwards requests, and holds the replies back
    reset        resets open connections, and new ones at once
    slow         forwards everything so many seconds late
    cut          closes a connection after so many bytes of replies
    drip         a byte of a reply every so many seconds
    refuse       resets open connections, and nobody listens (a process that died)
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.patience import PATIENCE_SECONDS
from worker.demo.processes import free_port

Behaviour = Literal["pass", "hang", "black_hole", "mute", "reset", "slow", "cut", "drip", "refuse"]

HOST = "127.0.0.1"
CHUNK = 65536
BACKLOG = 128
#: Connections of our own that fill the kernel's queue, so that it drops those of others.
FILLERS = 4
#: Do not linger over what was not sent: closing sends RST.
RESET = struct.pack("ii", 1, 0)


@dataclass(eq=False, slots=True)
class _Link:
    """One client, and its connection to the server once it has one."""

    ends: list[asyncio.StreamWriter]
    is_forgotten: bool = False

    def end(self, *, reset: bool = False) -> None:
        for writer in self.ends:
            if not reset:
                writer.close()
                continue
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


@dataclass(slots=True)
class FaultProxy:
    """Stands on *port* before the server on the port *behind*."""

    behind: int
    port: int = 0
    #: Connections that were taken so far.
    connections: int = 0
    #: Requests, replies or parts of them that are held back at this moment.
    held: int = 0
    _behaviour: Behaviour = "pass"
    _seconds: float = 0.0
    _after: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _listener: socket.socket | None = None
    _fillers: list[socket.socket] = field(default_factory=list)
    _links: "dict[_Link, asyncio.Task[None]]" = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _thread: threading.Thread = field(init=False)

    def set(self, behaviour: Behaviour, *, seconds: float = 0.05, after: int = 0) -> None:
        """Behave so from now on; *seconds* are those of slow and drip, *after* the bytes of cut."""

        async def change() -> None:
            self._behaviour, self._seconds, self._after = behaviour, seconds, after
            self._stand()
            if behaviour in {"reset", "refuse"}:
                for link in self._links:
                    link.end(reset=True)
            self._changed.set()
            self._changed = asyncio.Event()

        self._call(change())

    def forget(self) -> None:
        """Let the open connections go silent for ever; new ones are served (a firewall that lost its table)."""

        async def forget() -> None:
            for link in self._links:
                link.is_forgotten = True

        self._call(forget())

    def start(self) -> None:
        # Of those that nobody else gets while nobody listens.
        self.port = free_port()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._thread.start()
        self.set("pass")

    def stop(self) -> None:
        async def end() -> None:
            self._leave()
            # What was just taken is to own its connection before it is ended.
            await asyncio.sleep(0)
            tasks = list(self._links.values())
            for link in self._links:
                link.end(reset=True)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)

    def _stand(self) -> None:
        """Listen, take connections or neither, as the behaviour has it."""
        self._leave(stays=self._behaviour != "refuse")
        if self._behaviour == "refuse":
            return
        if self._listener is None:
            # One that no outgoing connection can have while nobody listens there.
            self.port = self.port or free_port()
            self._listener = socket.create_server((HOST, self.port))
            self._listener.setblocking(False)
        if self._behaviour == "black_hole":
            self._listener.listen(0)
            for _ in range(FILLERS):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex((HOST, self.port))
                self._fillers.append(filler)
            return
        self._listener.listen(BACKLOG)
        self._loop.add_reader(self._listener, self._take, self._listener)

    def _leave(self, *, stays: bool = False) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        if self._listener is not None and not stays:
            self._listener.close()
            self._listener = None

    def _take(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        client.setblocking(False)
        self.connections += 1
        link = _Link([])
        self._links[link] = self._loop.create_task(self._serve(link, client))

    async def _serve(self, link: _Link, taken: socket.socket) -> None:
        try:
            client, to_client = await asyncio.open_connection(sock=taken)
            link.ends.append(to_client)
            await self._passing(link, is_reply=False)
            if self._behaviour == "reset":
                link.end(reset=True)
                return
            server, to_server = await asyncio.open_connection(HOST, self.behind)
            link.ends.append(to_server)
            await _both(self._requests(link, client, to_server), self._replies(link, server, to_client))
        except OSError:
            link.end(reset=True)
        finally:
            link.end()
            try:
                # Until then it may hold bytes that its end has not taken, and is to be reset with the others.
                await asyncio.gather(*(writer.wait_closed() for writer in link.ends), return_exceptions=True)
            finally:
                del self._links[link]

    async def _requests(self, link: _Link, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await client.read(CHUNK):
            await self._passing(link, is_reply=False)
            server.write(data)
            await server.drain()
        link.end()

    async def _replies(self, link: _Link, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        sent = 0
        while data := await server.read(CHUNK):
            while data:
                await self._passing(link, is_reply=True)
                part = data
                if self._behaviour == "drip":
                    part = data[:1]
                    await asyncio.sleep(self._seconds)
                elif self._behaviour == "cut":
                    part = data[: max(0, self._after - sent)]
                client.write(part)
                await client.drain()
                sent += len(part)
                if self._behaviour == "cut" and sent >= self._after:
                    link.end()
                    return
                data = data[len(part) :]
        link.end()

    async def _passing(self, link: _Link, *, is_reply: bool) -> None:
        """Come back when something may pass."""
        if self._behaviour == "slow":
            await asyncio.sleep(self._seconds)
        self.held += 1
        try:
            while (
                link.is_forgotten
                or self._behaviour in {"hang", "black_hole"}
                or (is_reply and self._behaviour == "mute")
            ):
                await self._changed.wait()
        finally:
            self.held -= 1


async def _both(*ways: Coroutine[Any, Any, None]) -> None:
    """Run them until all have ended, or until one fails; then none is left."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def fault_proxy(behind: int) -> Iterator[FaultProxy]:
    """A proxy before the server on the port *behind*, which passes everything until it is told otherwise."""
    proxy = FaultProxy(behind)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
