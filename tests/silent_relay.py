"""A relay before a server that forgets its connections without closing them, as when a host loses its power or a
firewall its table; who connects anew is served."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.listening_port import listening_port


@dataclass(slots=True)
class SilentRelay:
    """Passes bytes on, for the connections of this generation only."""

    port: int
    behind: int = 0
    #: Connections that were made so far.
    connections: int = 0
    _generation: int = 0
    #: None once it is closed.
    _sockets: list[socket.socket] | None = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def to(self, port: int) -> int:
        """Stand before the server at *port*; returns the port to connect to instead."""
        self.behind = port
        return self.port

    def silence(self) -> None:
        """From now on nothing comes through the connections that are open."""
        self._generation += 1

    def serve(self, client: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            generation = self._generation
        with suppress(OSError):
            self._keep(client)
            behind = socket.create_connection(("127.0.0.1", self.behind))
            self._keep(behind)
            for source, target in ((client, behind), (behind, client)):
                threading.Thread(target=self._pump, args=(source, target, generation), daemon=True).start()
            return
        client.close()

    def _keep(self, each: socket.socket) -> None:
        """Have it closed at the end, which may have come."""
        with self._lock:
            if self._sockets is not None:
                self._sockets.append(each)
                return
        each.close()
        raise ConnectionAbortedError

    def _pump(self, source: socket.socket, target: socket.socket, generation: int) -> None:
        with suppress(OSError):
            while received := source.recv(65536):
                if generation != self._generation:
                    # Taken and forgotten: the sender sees no difference to a server that takes its time.
                    continue
                target.sendall(received)
        if generation == self._generation:
            for each in (source, target):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            sockets, self._sockets = self._sockets or [], None
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def silent_relay(behind: int = 0) -> Iterator[SilentRelay]:
    """A relay on a port of its own."""
    relay = SilentRelay(0, behind)
    try:
        with listening_port(relay.serve) as relay.port:
            yield relay
    finally:
        relay.close()
