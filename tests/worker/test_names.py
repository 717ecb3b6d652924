"""Names of hosts that nobody can look up hold up no other host; the lookups here are the test's own."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS
from tests.worker.raw_server import http, raw_server_beside
from worker.config.http_connections import Connections
from worker.config.http_routes import DIRECT
from worker.lanes.loops import HttpLoop

#: More than the threads of libuv, and than those of asyncio.
HUNG = [f"host{number}.hung" for number in range(40)]
SERVED, UNKNOWN = "served.test", "unknown.test"


class Lookups:
    """Answers for what ends in `.hung` only once it is told to."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.may_go_on = threading.Event()

    def __call__(self, name: str | bytes, port: int, *_: int) -> Any:
        host = name if isinstance(name, str) else name.decode()
        self.asked[host] += 1
        if host.endswith(".hung"):
            assert self.may_go_on.wait(PATIENCE_SECONDS)
        if host == UNKNOWN:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lookups]:
    lookups = Lookups()
    monkeypatch.setattr(socket, "getaddrinfo", lookups)
    yield lookups
    lookups.may_go_on.set()


@pytest.fixture
def loop(lookups: Lookups) -> Iterator[HttpLoop]:
    loop = HttpLoop()
    yield loop
    loop.close()


async def look_up(host: str) -> Any:
    return await asyncio.get_running_loop().getaddrinfo(host, 80)


async def by_httpx(url: str) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(url)).status_code


async def by_connections(url: str) -> int:
    connections = Connections(url, DIRECT.tls(), 1, None)
    try:
        return (await connections.exchange("GET", "/", "Host: it\r\n")).status
    finally:
        await connections.close()


@pytest.mark.parametrize("get", [by_httpx, by_connections])
def test_a_host_is_asked_while_the_names_of_many_others_hang(
    get: Callable[[str], Awaitable[int]], loop: HttpLoop, lookups: Lookups
) -> None:
    async def ask(port: int) -> int:
        hung = [asyncio.create_task(look_up(host)) for host in HUNG]
        async with asyncio.timeout(PATIENCE_SECONDS):
            status = await get(f"http://{SERVED}:{port}/")
        assert not any(each.done() for each in hung)
        return status

    with raw_server_beside(lambda _: http(200, b"{}")) as server:
        assert loop.run(ask(int(server.url.rpartition(":")[2]))) == 200
    assert lookups.asked[SERVED] == 1


def test_those_who_ask_for_the_same_name_share_a_lookup_though_one_gives_up(loop: HttpLoop, lookups: Lookups) -> None:
    async def ask() -> Any:
        first, second = (asyncio.create_task(look_up(HUNG[0])) for _ in range(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        third = asyncio.create_task(look_up(HUNG[0]))
        await asyncio.sleep(0)
        lookups.may_go_on.set()
        return await second, await third

    second, third = loop.run(ask())
    assert second == third == [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    # Those of an earlier test may begin as late as now.
    assert lookups.asked[HUNG[0]] == 1


def test_a_name_that_nobody_has_is_an_error_and_is_looked_up_again(loop: HttpLoop, lookups: Lookups) -> None:
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            loop.run(look_up(UNKNOWN))
    assert lookups.asked[UNKNOWN] == 2


def test_a_lookup_that_hangs_does_not_keep_the_loop_from_closing(lookups: Lookups) -> None:
    loop = HttpLoop()
    loop.run(_begin(HUNG[0]))
    loop.close()
    lookups.may_go_on.set()


async def _begin(host: str) -> None:
    asyncio.create_task(look_up(host))  # noqa: RUF006 - cancelled when the loop closes
    await asyncio.sleep(0)
