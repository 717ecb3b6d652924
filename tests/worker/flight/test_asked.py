"""Each thing is sent once for all who want it, and a note that it was asked for stands only if it was sent."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from tests.patience import PATIENCE_SECONDS
from worker.flight import asked
from worker.flight.asked import Asked


@pytest.fixture(autouse=True)
def only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked for again because the machine had no time for it."""
    monkeypatch.setattr(asked, "ASK_AGAIN_SECONDS", PATIENCE_SECONDS)


class Broker:
    """Notes what it is sent, when it is unblocked, and ends it in the way that is set."""

    def __init__(self, end: bool | Exception = True) -> None:
        self.end = end
        self.begun: list[str] = []
        self.sent: list[str] = []
        self.unblocked = asyncio.Event()

    async def send(self, what: Sequence[str]) -> bool:
        self.begun += what
        await self.unblocked.wait()
        if isinstance(self.end, Exception):
            raise self.end
        if self.end:
            self.sent += what
        return self.end


def run(work: Coroutine[Any, Any, None]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS / 2):
            await work

    asyncio.run(in_time())


async def begun(here: Asked, what: Sequence[str], broker: Broker) -> "asyncio.Task[set[str]]":
    """Ask; it waits when this returns."""
    task = asyncio.create_task(here.ask(what, broker.send))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


def test_what_somebody_asks_for_is_sent_though_they_are_gone_before() -> None:
    async def work() -> None:
        here, broker = Asked(), Broker()
        leaves = await begun(here, ["a", "b"], broker)
        stays = await begun(here, ["b", "c"], broker)
        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
        assert not stays.done()
        broker.unblocked.set()
        assert await stays == set()
        assert sorted(broker.sent) == ["a", "b", "c"]
        assert await here.ask(["a", "b", "c"], broker.send) == set()
        assert len(broker.begun) == 3

    run(work())


def test_who_comes_while_it_is_sent_hears_too_that_there_is_no_room() -> None:
    async def work() -> None:
        here, broker = Asked(), Broker(end=False)
        asking = [await begun(here, what, broker) for what in (["a"], ["a", "b"])]
        broker.unblocked.set()
        assert await asyncio.gather(*asking) == [{"a"}, {"a", "b"}]
        assert broker.begun == ["a", "b"]

    run(work())


def test_who_comes_while_it_is_sent_hears_too_that_it_could_not_be() -> None:
    async def work() -> None:
        here, broker = Asked(), Broker(OSError("gone"))
        asking = [await begun(here, ["a"], broker) for _ in range(2)]
        broker.unblocked.set()
        assert [str(each) for each in await asyncio.gather(*asking, return_exceptions=True)] == ["gone", "gone"]

    run(work())


@pytest.mark.parametrize("end", [False, OSError("gone")], ids=["no room", "error"])
def test_what_was_not_sent_is_sent_for_the_next_even_if_nobody_heard_of_it(end: bool | Exception) -> None:
    async def work() -> None:
        here, broker = Asked(), Broker(end)
        leaves = await begun(here, ["a"], broker)
        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
        broker.unblocked.set()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)
        await asyncio.sleep(0)
        broker.end = True
        assert await here.ask(["a"], broker.send) == set()
        assert broker.sent == ["a"]

    run(work())


def test_what_is_given_up_before_its_first_step_is_not_noted() -> None:
    async def work() -> None:
        here, broker = Asked(), Broker()
        task = asyncio.create_task(here.ask(["a"], broker.send))
        await asyncio.sleep(0)
        await here.close()
        await asyncio.gather(task, return_exceptions=True)
        assert broker.begun == []
        assert "a" not in here

    run(work())


def test_who_waits_for_a_broker_that_hangs_goes_on_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        here, broker = Asked(), Broker()
        monkeypatch.setattr(asked, "ASK_AGAIN_SECONDS", 0.01)
        assert await here.ask(["a"], broker.send) == set()
        await here.ask(["a"], broker.send)
        assert broker.begun == ["a", "a"]
        await here.close()

    run(work())
