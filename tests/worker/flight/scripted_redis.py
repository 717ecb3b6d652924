"""A Redis that answers MGET as a test says: whole, in pieces, cut off, late, or with something else."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

HELLO = b"%1\r\n$5\r\nproto\r\n:3\r\n"
#: Answers the MGET of that number, counted from 0, for these keys.
Script = Callable[[int, list[bytes], asyncio.StreamWriter], Coroutine[Any, Any, None]]


def the_keys(keys: Sequence[bytes]) -> bytes:
    """The reply of a Redis in which each key holds itself."""
    return b"*%d\r\n" % len(keys) + b"".join(b"$%d\r\n%b\r\n" % (len(key), key) for key in keys)


def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection off, as a proxy does with one that was idle."""
    there: socket.socket = writer.get_extra_info("socket")
    there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass
class ScriptedRedis:
    script: Script
    port: int = 0
    #: MGETs that came.
    count: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readline():
                words = [await _word(reader) for _ in range(int(head[1:]))]
                if words[0] == b"MGET":
                    self.count += 1
                    await self.script(self.count - 1, words[1:], writer)
                else:
                    writer.write(HELLO if words[0] == b"HELLO" else b"+OK\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _word(reader: asyncio.StreamReader) -> bytes:
    length = int((await reader.readline())[1:])
    return (await reader.readexactly(length + 2))[:-2]


@asynccontextmanager
async def scripted_redis(script: Script) -> AsyncIterator[ScriptedRedis]:
    redis = ScriptedRedis(script)
    async with await asyncio.start_server(redis.serve, "127.0.0.1", 0) as server:
        redis.port = server.sockets[0].getsockname()[1]
        yield redis
