"""A free loopback port, whose connections are handed to a function, and what comes from both ends of a relay."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from selectors import EVENT_READ, DefaultSelector
from threading import Thread
from typing import cast


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


def pieces(client: socket.socket, behind: socket.socket) -> Iterator[tuple[socket.socket, socket.socket, bytes]]:
    """What comes from either end as it comes: that end, the other one, and bytes; the last piece of an end is empty."""
    with DefaultSelector() as ends:
        for end, other in ((client, behind), (behind, client)):
            ends.register(end, EVENT_READ, other)
        while ends.get_map():
            for key, _ in ends.select():
                end = cast("socket.socket", key.fileobj)
                received = end.recv(65536)
                if not received:
                    ends.unregister(end)
                yield end, key.data, received
