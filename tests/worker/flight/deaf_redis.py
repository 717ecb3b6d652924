"""A port that stands for a dead Redis: it counts connections and closes them at once."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread


@dataclass
class DeafRedis:
    """Accepts connections only to close them."""

    port: int
    knocks: int = 0


@contextmanager
def deaf_redis() -> Iterator[DeafRedis]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        deaf = DeafRedis(listener.getsockname()[1])

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                deaf.knocks += 1
                connection.close()

        door = Thread(target=hang_up)
        door.start()
        try:
            yield deaf
        finally:
            # Wakes the thread that waits for the next knock; closing would not.
            listener.shutdown(socket.SHUT_RDWR)
            door.join()
