"""The limits as workers share them through a real Redis, and what is left of that without it."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs

from tests.clock import Clock
from tests.worker.limits.crowd import ceilings
from worker.config.redis_state import RedisState
from worker.demo.processes import free_port
from worker.endpoints.limits import BURST_SECONDS, LEAD_SECONDS, Grant, Report
from worker.endpoints.shared_limits import KEPT_MILLISECONDS, SAVE, TRIES, SharedLimits

URL = "http://scores.test"


def limits_of(
    redis: Redis, member: str = "a", clock: Callable[[], float] = time.monotonic, url: str = URL, **fields: Any
) -> SharedLimits:
    return SharedLimits(url, ceilings(**fields), member, redis, RedisState(clock), clock)


def ask(limits: SharedLimits, report: Report | None = None, *, in_flight: int = 0, want: int = 0) -> Grant:
    """Together, or alone where that can't be."""
    asks = {"in_flight": in_flight, "waiting": want, "want": want}
    return limits.together(report or Report(), **asks) or limits.alone(report or Report(), **asks)


def redis_time(redis: Redis) -> float:
    seconds, microseconds = redis.time()
    return float(seconds) + microseconds / 1e6


def only_key(redis: Redis) -> bytes:
    (key,) = redis.scan_iter()
    assert isinstance(key, bytes)
    return key


def test_workers_in_a_tight_loop_are_granted_no_more_together_than_the_rate_allows(
    redis: Redis, redis_url: str
) -> None:
    rate, turns = 500.0, 100
    granted: list[int] = []
    began = redis_time(redis)

    def work(member: str) -> None:
        with Redis.from_url(redis_url) as own:
            limits = limits_of(own, member, requests_per_second=rate, concurrency=10_000)
            granted.append(sum(ask(limits, want=1000).starts for _ in range(turns)))

    threads = [threading.Thread(target=work, args=(f"worker {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    seconds = redis_time(redis) - began
    assert len(granted) == len(threads)
    assert 0 < sum(granted) <= rate * (seconds + LEAD_SECONDS + BURST_SECONDS)


def test_what_one_worker_reserved_the_others_do_not_get(redis: Redis) -> None:
    first, second = limits_of(redis, "a"), limits_of(redis, "b")
    began = redis_time(redis)

    starts = [ask(each, want=1000).starts for each in (first, second)]

    assert starts[0] > 20
    assert sum(starts) <= 100 * (redis_time(redis) - began + LEAD_SECONDS + BURST_SECONDS)


def test_a_pause_told_to_one_worker_holds_for_the_other(redis: Redis) -> None:
    ask(limits_of(redis, "a"), Report(throttled=1, pause=60))

    assert ask(limits_of(redis, "b"), want=1).pause > 50


def test_two_endpoints_have_nothing_to_do_with_each_other(redis: Redis) -> None:
    ask(limits_of(redis), Report(throttled=1, pause=60))

    assert ask(limits_of(redis, url="http://elsewhere.test"), want=1).starts == 1


def test_what_nobody_touches_is_forgotten(redis: Redis) -> None:
    ask(limits_of(redis), want=1)

    assert 0 < redis.pttl(only_key(redis)) <= KEPT_MILLISECONDS


class ContendedRedis(Redis):
    """A Redis at which somebody else is quicker, as often as set."""

    def __init__(self, url: str) -> None:
        super().__init__(connection_pool=Redis.from_url(url).connection_pool)
        self.quicker = 0
        self.conflicts = 0
        self._other = limits_of(Redis.from_url(url), "quicker")

    def register_script(self, script: Any) -> Any:
        run = super().register_script(script)

        def run_second(**arguments: Any) -> Any:
            if script == SAVE and self.conflicts < self.quicker:
                self.conflicts += 1
                ask(self._other, want=1)
            return run(**arguments)

        return run_second


def test_somebody_who_was_quicker_costs_neither_of_us_a_reservation(redis: Redis, redis_url: str) -> None:
    contended = ContendedRedis(redis_url)
    contended.quicker = 3
    # The next start is due in minutes, however slow we are.
    limits = limits_of(contended, requests_per_second=0.01)
    ask(limits, want=1)

    assert contended.conflicts == 3
    assert ask(limits_of(redis, "c", requests_per_second=0.01), want=1).starts == 0


def test_what_could_not_be_told_for_all_the_others_is_told_the_next_time(redis: Redis, redis_url: str) -> None:
    contended = ContendedRedis(redis_url)
    contended.quicker = TRIES
    limits = limits_of(contended)
    grant = ask(limits, Report(throttled=1, pause=60), in_flight=3, want=5)
    assert (grant.starts, grant.places, grant.pause) == (0, 3, 0)
    ask(limits)

    assert ask(limits_of(redis, "c")).pause > 50


@pytest.mark.parametrize(
    "garbage",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"rate": "x"}', b'{"members": {"a": [1]}}', b'{"no_such_field": 1}'],
)
def test_what_can_not_be_read_is_as_good_as_nothing_and_replaced(redis: Redis, garbage: bytes) -> None:
    limits = limits_of(redis)
    ask(limits, want=1)
    redis.set(only_key(redis), garbage)

    assert ask(limits, want=1).starts == 1
    assert b'"rate":100.0' in (redis.get(only_key(redis)) or b"")


def test_a_clock_that_was_set_back_does_not_hold_anybody_up(redis: Redis) -> None:
    limits = limits_of(redis)
    ask(limits, Report(throttled=1, pause=60), want=1)
    later = f"{redis_time(redis) + 3600:.3f}".encode()
    redis.set(only_key(redis), b'{"told_at":%b,"next_start":%b,"paused_until":%b}' % (later, later, later))

    assert ask(limits, want=1).starts == 1


def gone() -> Redis:
    """A Redis that nobody listens for."""
    return Redis(port=free_port(), retry=Retry(NoBackoff(), 0))


def test_without_redis_a_worker_alone_goes_on_with_the_whole_rate_and_no_more() -> None:
    limits = limits_of(gone(), clock=Clock(), requests_per_second=100, concurrency=10)
    grant = ask(limits, want=1000)

    assert grant.places == 10
    assert 20 <= grant.starts <= 30
    assert ask(limits, in_flight=10, want=1000).starts == 0


def limits_that_lost_redis(redis: Redis, clock: Clock, seconds_before: float = 0.0) -> SharedLimits:
    """Those of one of four workers, *seconds_before* alone since, now without a Redis."""
    for member in "abc":
        # They are not forgotten, however long it takes us to ask.
        ask(limits_of(redis, member, timeout_seconds=600), want=1)
    own = Redis(connection_pool=redis.connection_pool)
    limits = limits_of(own, "d", clock, requests_per_second=100, concurrency=40)
    ask(limits, want=1)
    redis.flushdb()
    clock.now += seconds_before
    ask(limits, want=1)
    own.connection_pool = gone().connection_pool
    return limits


def test_without_redis_each_of_the_workers_last_seen_goes_on_with_its_share(redis: Redis) -> None:
    clock = Clock()
    limits = limits_that_lost_redis(redis, clock)
    # Others may hold what they were granted, for as long as a request can last.
    assert (ask(limits, want=1000).rate, ask(limits, want=1000).places) == (25, 1)

    clock.now += 10
    assert ask(limits, want=1000).places == 10


def test_a_worker_that_is_idle_while_redis_goes_waits_for_others_from_that_moment_on(redis: Redis) -> None:
    clock = Clock()
    own, state = Redis(connection_pool=redis.connection_pool), RedisState(clock)
    limits = SharedLimits(URL, ceilings(requests_per_second=100, concurrency=40), "d", own, state, clock)
    ask(limits, want=1)
    own.connection_pool = gone().connection_pool
    clock.now += 600
    assert not limits.are_held_by_others()
    state.is_gone(RedisError("the broker lost it"))
    assert limits.are_held_by_others()

    clock.now += 10
    assert not limits.are_held_by_others()
    assert ask(limits, want=1000).places == 40


def test_a_worker_that_is_at_work_while_redis_goes_has_places_of_its_own(redis: Redis) -> None:
    limits = limits_that_lost_redis(redis, Clock())
    ask(limits, want=1)

    assert not limits.are_held_by_others()


def test_workers_that_were_last_seen_long_ago_get_no_share(redis: Redis) -> None:
    assert ask(limits_that_lost_redis(redis, Clock(), seconds_before=600), want=1000).rate == 100


@pytest.mark.usefixtures("redis")
def test_without_redis_the_processes_of_the_settings_are_counted_before_they_are_seen() -> None:
    grant = ask(limits_of(gone(), clock=Clock(), requests_per_second=100, concurrency=10, processes=2), want=1000)

    assert (grant.rate, grant.places) == (50, 5)


def test_the_loss_and_the_return_of_redis_are_told_once_each(redis: Redis) -> None:
    clock = Clock()
    own = gone()
    with capture_logs() as lines:
        limits = limits_of(own, clock=clock)
        for _ in range(5):
            ask(limits, want=1)
            clock.now += 10
        own.connection_pool = redis.connection_pool
        for _ in range(5):
            ask(limits, want=1)

    assert [line["event"] for line in lines] == ["redis_gone", "redis_back"]


def test_an_outage_that_one_process_tells_is_an_alarm_that_another_sees_and_ends(redis: Redis) -> None:
    first, second = limits_of(redis, "a"), limits_of(redis, "b")
    ask(first, Report(outage="status 503"))
    assert second.alarm() == "nobody is served: status 503"

    ask(second, Report(served=1))
    assert first.alarm() is None


def test_where_redis_was_emptied_nobody_takes_more_than_the_share_of_one_of_all_processes(redis: Redis) -> None:
    first, second = (limits_of(redis, member, concurrency=32, processes=2) for member in "ab")
    ask(first, want=32)
    redis.flushdb()

    assert ask(second, want=32).places == 16


def test_a_worker_with_a_lower_ceiling_keeps_to_its_own(redis: Redis) -> None:
    ask(limits_of(redis, "a", requests_per_second=100), want=1)

    assert ask(limits_of(redis, "b", requests_per_second=5), want=1).rate == 5
