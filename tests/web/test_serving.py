"""The socket that the door listens on, and how replies get into it."""

import asyncio
import socket

import pytest

from worker.web.serving import listening


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
