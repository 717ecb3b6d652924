"""A relay before a server that forgets its connections without closing them, as when a host loses its power or a
firewall its table; who connects anew is served."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.listening_port import listening_port, pieces


@dataclass(slots=True)
class SilentRelay:
    """Passes bytes on, for the connections of this generation only."""

    port: int
    behind: int = 0
    #: Connections that were made so far.
    connections: int = 0
    _generation: int = 0
    #: Connections behind, whose clients have gone without a word.
    _forgotten: list[socket.socket] = field(default_factory=list)

    def to(self, port: int) -> int:
        """Stand before the server at *port*; returns the port to connect to instead."""
        self.behind = port
        return self.port

    def silence(self) -> None:
        """From now on nothing comes through the connections that are open."""
        self._generation += 1

    def serve(self, client: socket.socket) -> None:
        self.connections += 1
        generation = self._generation
        with client, suppress(OSError):
            behind = socket.create_connection(("127.0.0.1", self.behind))
            try:
                self._pass_on(client, behind, generation)
            finally:
                if generation == self._generation:
                    behind.close()
                else:
                    self._forgotten.append(behind)

    def _pass_on(self, client: socket.socket, behind: socket.socket, generation: int) -> None:
        """Pass bytes on until the client has gone or, while nothing is silent, the server."""
        for end, other, received in pieces(client, behind):
            is_silent = generation != self._generation
            if not received and (end is client or not is_silent):
                return
            # Else taken and forgotten: the client sees no difference to a server that takes its time.
            if received and not is_silent:
                other.sendall(received)

    def close(self) -> None:
        for each in self._forgotten:
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
