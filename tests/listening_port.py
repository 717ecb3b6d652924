"""A free loopback port, whose connections are handed to a function."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread


@contextmanager
def listening_port(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept connections until the end, each served in a thread of its own, which closes it; yields the port.

    In the end those that are open are shut down, and their threads waited for, so that nothing is left to others.
    """
    served: list[tuple[socket.socket, Thread]] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                thread = Thread(target=serve, args=(client,), daemon=True)
                served.append((client, thread))
                thread.start()

        door = Thread(target=accept)
        door.start()
        try:
            yield listener.getsockname()[1]
        finally:
            # Wakes the thread that waits for the next client; closing would not.
            listener.shutdown(socket.SHUT_RDWR)
            door.join()
            for client, thread in served:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                thread.join()
