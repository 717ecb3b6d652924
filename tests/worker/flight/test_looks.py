"""Looks at Redis whatever becomes of the connection: each caller gets its own values, or an error of Redis."""

import asyncio
from asyncio import StreamWriter
from collections.abc import Sequence

import pytest
import uvloop
from redis import RedisError
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as RedisTimeout

from tests.patience import PATIENCE_SECONDS
from tests.worker.flight.scripted_redis import Script, reset, scripted_redis, the_keys
from worker.flight.looks import Looks, Values

BIG = 8_000_000
PUSH = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nz\r\n"


async def in_pieces(_number: int, keys: list[bytes], writer: StreamWriter) -> None:
    for byte in the_keys(keys):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)


async def a_big_one(_number: int, keys: list[bytes], writer: StreamWriter) -> None:
    writer.write(the_keys(keys).replace(b"$1\r\na", b"$%d\r\n%b" % (BIG, b"a" * BIG)))


async def cut_off(number: int, keys: list[bytes], writer: StreamWriter) -> None:
    writer.write(the_keys(keys)[:-5] if number == 0 else the_keys(keys))
    if number == 0:
        await writer.drain()
        writer.close()


async def after_a_push(_number: int, keys: list[bytes], writer: StreamWriter) -> None:
    writer.write(PUSH + the_keys(keys))


async def before_a_push(_number: int, keys: list[bytes], writer: StreamWriter) -> None:
    writer.write(the_keys(keys) + PUSH)


async def then_closed(_number: int, keys: list[bytes], writer: StreamWriter) -> None:
    writer.write(the_keys(keys))
    await writer.drain()
    writer.close()


async def then_reset(_number: int, keys: list[bytes], writer: StreamWriter) -> None:
    writer.write(the_keys(keys))
    await writer.drain()
    await asyncio.sleep(0.02)
    reset(writer)


def first(reply: bytes) -> Script:
    """Answers the first MGET with *reply*."""

    async def script(number: int, keys: list[bytes], writer: StreamWriter) -> None:
        writer.write(reply if number == 0 else the_keys(keys))

    return script


def patient(port: int) -> AsyncRedis:
    """Tries once more where a connection was lost."""
    return AsyncRedis(port=port, socket_timeout=PATIENCE_SECONDS, retry=Retry(NoBackoff(), 1))


def looked(script: Script, *steps: Sequence[str]) -> list[Values | type[Exception]]:
    """What each of *steps* got, one after the other, with a little time between them."""

    async def look() -> list[Values | type[Exception]]:
        found: list[Values | type[Exception]] = []
        async with scripted_redis(script) as server:
            redis = patient(server.port)
            looks = Looks(redis, seconds=PATIENCE_SECONDS)
            for keys in steps:
                try:
                    found.append(await looks.at(keys))
                except RedisError as error:
                    found.append(type(error))
                await asyncio.sleep(0.05)
            await redis.aclose()
        return found

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(look())


@pytest.mark.parametrize(
    "script",
    [in_pieces, cut_off, after_a_push, before_a_push, then_closed, then_reset],
    ids=lambda script: script.__name__,
)
def test_a_connection_that_is_cut_slow_or_told_more_costs_nobody_a_value(script: Script) -> None:
    assert looked(script, ["a", "b"], ["c"], ["d"]) == [[b"a", b"b"], [b"c"], [b"d"]]


def test_a_big_value_is_read_whole() -> None:
    assert looked(a_big_one, ["a", "b"]) == [[b"a" * BIG, b"b"]]


def test_a_reply_that_comes_too_late_is_nobody_elses() -> None:
    async def look() -> list[Values]:
        is_late = asyncio.Event()

        async def late(_number: int, keys: list[bytes], writer: StreamWriter) -> None:
            if keys == [b"a"]:
                await is_late.wait()
            writer.write(the_keys(keys))

        async with scripted_redis(late) as server:
            redis = patient(server.port)
            hasty, others = (Looks(redis, seconds=seconds) for seconds in (0.1, PATIENCE_SECONDS))
            # Connecting takes no time of the hasty one.
            await others.at(["z"])
            with pytest.raises(RedisTimeout):
                await hasty.at(["a"])
            is_late.set()
            found = [await others.at([key]) for key in "bc"]
            await redis.aclose()
        return found

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(look()) == [[b"b"], [b"c"]]


@pytest.mark.parametrize(
    "reply",
    [
        b"*1\r\n$1\r\na\r\n",
        b"*2\r\n$1\r\na\r\n-ERR inside\r\n",
        b"*2\r\n$1\r\na\r\n:1\r\n",
        b"$2\r\nab\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n-LOADING",
        b"-MASTERDOWN Link with MASTER is down\r\n",
    ],
)
def test_what_does_not_fit_the_keys_is_an_error_and_the_next_look_gets_its_own(reply: bytes) -> None:
    (failed, *others) = looked(first(reply), ["a", "b"], ["c"])

    assert isinstance(failed, type) or failed == [b"a", b"b"]
    assert others == [[b"c"]]


def test_a_reply_that_is_one_too_many_mixes_up_no_values() -> None:
    found = looked(first(the_keys([b"a"]) + b"+STRAY\r\n"), ["a"], ["b", "c"], ["d"])

    assert found[0] == [b"a"]
    assert isinstance(found[1], type) or found[1] == [b"b", b"c"]
    assert found[2] == [b"d"]


def test_callers_of_one_step_share_a_look() -> None:
    async def look() -> tuple[list[Values], int]:
        async with scripted_redis(first(b"")) as server:
            server.count = 1
            redis = AsyncRedis(port=server.port)
            looks = Looks(redis, seconds=PATIENCE_SECONDS)
            found = await asyncio.gather(*(looks.at([key]) for key in "abcdef"))
            await redis.aclose()
            return found, server.count - 1

    assert asyncio.run(look()) == ([[key.encode()] for key in "abcdef"], 1)


def test_an_error_of_who_asked_is_nobody_elses() -> None:
    def fail(_: Values | Exception) -> None:
        raise ValueError("not taken")

    async def look() -> tuple[Values, list[str]]:
        noted: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: noted.append(str(context["exception"])))
        async with scripted_redis(then_closed) as server:
            redis = AsyncRedis(port=server.port)
            looks = Looks(redis, seconds=PATIENCE_SECONDS)
            looks.ask(["a"], fail)
            found = await looks.at(["b"])
            await redis.aclose()
            return found, noted

    assert asyncio.run(look()) == ([b"b"], ["not taken"])


def test_a_look_that_is_under_way_at_the_end_opens_no_connection_after_it() -> None:
    async def look() -> int:
        came, ended = asyncio.Event(), asyncio.Event()

        async def held(_number: int, _keys: list[bytes], _writer: StreamWriter) -> None:
            came.set()
            await ended.wait()

        async with scripted_redis(held) as server:
            redis = AsyncRedis(port=server.port, retry=Retry(NoBackoff(), 1))
            looks = Looks(redis, seconds=PATIENCE_SECONDS)
            looks.ask(["a"], lambda _: None)
            await came.wait()
            await looks.close()
            await redis.aclose()
            # Time for a connection that should not be.
            await asyncio.sleep(0.05)
            ended.set()
            return server.count

    assert asyncio.run(look()) == 1
