"""An event loop with virtual time, and stand-ins for both sides of a pacer: limits and requests."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tests.worker.limits.crowd import Crowd, ceilings
from worker.domain.errors import EndpointUnavailable
from worker.endpoints.limits import Grant, Report
from worker.endpoints.pacer import Limits, Pacer

Result = TypeVar("Result")
ENDPOINT = "http://scores.test"


class _Jumping(selectors.SelectSelector):
    """Does not wait for the next timer, but is there at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everybody waits for something that never comes"
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time passes at once where nothing is to be done."""

    def __init__(self) -> None:
        self.clock = _Jumping()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def run(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run *work* in virtual time."""

    async def working() -> Result:
        return await work()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(working())


def now() -> float:
    return asyncio.get_running_loop().time()


def block(seconds: float) -> None:
    """Have the whole event loop stand still for so long."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.clock.now += seconds


def a_grant(**fields: Any) -> Grant:
    defaults: dict[str, Any] = {"starts": 1, "places": 1, "rate": 100.0, "members": 1}
    defaults["share"] = fields.get("places", 1)
    return Grant(**(defaults | fields))


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a pacer told and asked."""

    report: Report
    in_flight: int
    waiting: int
    want: int
    at: float


@dataclass(slots=True)
class Scripted:
    """Limits that answer as they are told, and keep what they were asked."""

    answer: Callable[[Exchange], Grant | None]
    exchanges: list[Exchange] = field(default_factory=list)
    #: What was asked where the answer was that the others can't be asked.
    alone_exchanges: list[Exchange] = field(default_factory=list)
    is_held_by_others: bool = False

    def together(self, report: Report, *, in_flight: int, waiting: int, want: int) -> Grant | None:
        exchange = Exchange(report, in_flight, waiting, want, now())
        self.exchanges.append(exchange)
        return self.answer(exchange)

    def are_held_by_others(self) -> bool:
        return self.is_held_by_others

    def alone(self, report: Report, *, in_flight: int, waiting: int, want: int) -> Grant:
        exchange = Exchange(report, in_flight, waiting, want, now())
        self.alone_exchanges.append(exchange)
        return all_that_is_wanted(exchange)


def all_that_is_wanted(exchange: Exchange) -> Grant:
    return a_grant(starts=exchange.want, places=exchange.in_flight + exchange.waiting)


@dataclass(slots=True)
class Member:
    """One of those who share the real limits."""

    crowd: Crowd
    name: str
    exchanges: int = 0

    def together(self, report: Report, *, in_flight: int, waiting: int, want: int) -> Grant:
        self.exchanges += 1
        self.crowd.now = now()
        return self.crowd.ask(self.name, report, in_flight=in_flight, waiting=waiting, want=want)

    def are_held_by_others(self) -> bool:
        return False

    def alone(self, report: Report, *, in_flight: int, waiting: int, want: int) -> Grant:
        raise AssertionError("the others can be asked")


def members(count: int, **fields: Any) -> list[Member]:
    crowd = Crowd(ceilings(**fields))
    return [Member(crowd, f"worker {number}") for number in range(count)]


async def at_once(exchange: Callable[[], Grant | None]) -> Grant | None:
    return exchange()


def pacer_of(
    limits: Limits,
    patience: float = 60.0,
    in_thread: Callable[[Callable[[], Grant | None]], Awaitable[Grant | None]] = at_once,
    wikis: Iterable[str] = (),
) -> Pacer:
    return Pacer(ENDPOINT, limits, patience=patience, wikis=wikis, in_thread=in_thread)


@dataclass(slots=True)
class Endpoint:
    """Notes the requests that pacers let start; each ends as *reply* says, after so many seconds."""

    reply: Callable[[int], Report] = lambda _: Report(served=1)
    seconds: float = 0.1
    starts: list[float] = field(default_factory=list)
    #: The wikis of these.
    wikis: list[str] = field(default_factory=list)
    under_way: int = 0
    peak: int = 0

    async def serve(
        self, pacer: Pacer, seconds: float | None = None, *, wiki: str = "enwiki", model: str = "damaging"
    ) -> Report | None:
        """One request from its start to its end; returns what it told, None where the pacer refused it."""
        try:
            await pacer.start(wiki, [model])
        except EndpointUnavailable:
            return None
        lasts = self.seconds if seconds is None else seconds
        self.starts.append(now())
        self.wikis.append(wiki)
        report = self.reply(len(self.starts))
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        try:
            await asyncio.sleep(lasts)
        finally:
            self.under_way -= 1
        pacer.end(wiki, [model], replace(report, seconds=lasts if report.served else 0.0))
        return report

    async def serve_all(self, pacer: Pacer, count: int) -> list[Report | None]:
        """So many requests, of a wiki each."""
        return await asyncio.gather(*(self.serve(pacer, wiki=f"wiki{number}") for number in range(count)))
