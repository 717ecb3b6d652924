"""A free loopback port, whose connections are handed to a function."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread


@contextmanager
def listening_port(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept connections until the end, each served in a thread of its own; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                Thread(target=serve, args=(client,), daemon=True).start()

        door = Thread(target=accept)
        door.start()
        try:
            yield listener.getsockname()[1]
        finally:
            # Wakes the thread that waits for the next client; closing would not.
            listener.shutdown(socket.SHUT_RDWR)
            door.join()
