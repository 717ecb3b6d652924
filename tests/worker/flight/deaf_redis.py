"""A port that stands for a dead Redis: it counts connections and closes them at once."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.listening_port import listening_port


@dataclass
class DeafRedis:
    """Accepts connections only to close them."""

    port: int = 0
    knocks: int = 0

    def hang_up(self, client: socket.socket) -> None:
        self.knocks += 1
        client.close()


@contextmanager
def deaf_redis() -> Iterator[DeafRedis]:
    deaf = DeafRedis()
    with listening_port(deaf.hang_up) as deaf.port:
        yield deaf
