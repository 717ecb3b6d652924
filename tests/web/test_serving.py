"""The socket that the door listens on, and how replies get into it."""

import asyncio
import socket

import pytest

from worker.web.serving import listening
from worker.web.writing import WholeWrites


def test_replies_are_sent_at_once_and_not_held_back_for_more() -> None:
    async def nodelay_of_a_connection() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there = writer.get_extra_info("socket")
            found.set_result(there.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listening("127.0.0.1", 0) as listener:
            async with await asyncio.start_server(accepted, sock=listener):
                _, writer = await asyncio.open_connection(*listener.getsockname())
                writer.close()
                return await found

    assert asyncio.run(nodelay_of_a_connection()) == 1


def test_a_port_that_somebody_has_is_an_error() -> None:
    with listening("127.0.0.1", 0) as listener, pytest.raises(OSError, match="in use"):
        listening(*listener.getsockname())


class Written(asyncio.Transport):
    """Keeps what is written to it, and when it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.parts.append(bytes(data))

    def close(self) -> None:
        self.parts.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.parts


def written(*steps: bytes | None) -> list[bytes]:
    """What gets written of *steps*: bytes, the end of the loop's step (empty), and closing (None)."""
    transport = Written()

    async def write() -> None:
        whole = WholeWrites(transport, asyncio.get_running_loop())
        for step in steps:
            if step is None:
                whole.close()
            elif step:
                whole.write(step)
            else:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert whole.is_closing() is (None in steps)

    asyncio.run(write())
    return transport.parts


@pytest.mark.parametrize(
    ("steps", "parts"),
    [
        ([b"head", b"body"], [b"headbody"]),
        ([b"head", b"body", b"", b"another"], [b"headbody", b"another"]),
        ([b"head", b"body", None], [b"headbody", b"closed"]),
        ([None], [b"closed"]),
    ],
)
def test_a_reply_is_one_write_to_the_socket(steps: list[bytes | None], parts: list[bytes]) -> None:
    assert written(*steps) == parts
