"""What only the tier inside the process does: it wakes across threads, and throws away by itself what has run out."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from weakref import ref

from tests.builders import a_score
from tests.worker.flight.timed_tiers import LIFETIMES, ProcessTimedTier
from tests.worker.flight.waking import is_woken, is_woken_from_another_thread
from tests.worker.flights import some_ids
from worker.domain.scores import Answer, ScoreId
from worker.flight.process_tier import FEWEST_TO_TIDY, ProcessTier
from worker.flight.tiers import Acquired

IDS = some_ids(10)
ONE = IDS[0]
MINE, OTHER = "a" * 32, "b" * 32


def test_an_end_wakes_who_listens() -> None:
    tier = ProcessTier(LIFETIMES)

    assert asyncio.run(is_woken(tier, IDS, lambda: tier.finish([ONE], {ONE: a_score()}, MINE)))


def test_a_lease_that_is_only_released_wakes_who_listens() -> None:
    tier = ProcessTier(LIFETIMES)

    assert asyncio.run(is_woken(tier, IDS, lambda: tier.finish([ONE], {}, MINE)))


def test_an_end_in_one_thread_wakes_who_listens_in_the_loop_of_another() -> None:
    tier = ProcessTier(LIFETIMES)

    assert is_woken_from_another_thread(tier, [ONE], lambda: tier.finish([ONE], {ONE: a_score()}, MINE))


def test_an_end_wakes_all_who_listen() -> None:
    tier = ProcessTier(LIFETIMES)

    async def all_listen() -> list[bool]:
        together = asyncio.Barrier(5)

        async def listen() -> bool:
            async with tier.listening([ONE]) as listen:
                await together.wait()
                await asyncio.wait_for(listen(60), 50)
                return True

        listeners = [asyncio.create_task(listen()) for _ in range(4)]
        await together.wait()
        tier.finish([ONE], {}, MINE)
        return await asyncio.gather(*listeners)

    assert asyncio.run(all_listen()) == [True] * 4


def test_an_end_that_comes_before_listening_is_found_by_looking_again() -> None:
    tier = ProcessTier(LIFETIMES)
    tier.acquire([ONE], MINE, {})
    assert tier.acquire([ONE], OTHER, {}).under_way
    tier.finish([ONE], {ONE: a_score()}, MINE)

    async def look_again() -> Acquired:
        async with tier.listening([ONE]):
            return tier.acquire([ONE], OTHER, {ONE: MINE})

    assert asyncio.run(look_again()) == Acquired(cached={ONE: a_score()})


def test_an_end_does_not_stumble_over_a_listener_whose_loop_was_closed() -> None:
    tier = ProcessTier(LIFETIMES)
    loop = asyncio.new_event_loop()
    abandoned = tier.listening([ONE])
    loop.run_until_complete(abandoned.__aenter__())
    loop.close()

    assert tier.finish([ONE], {ONE: a_score()}, MINE) == {ONE: a_score()}


def test_threads_that_ask_at_once_never_share_a_lease() -> None:
    tier, together = ProcessTier(LIFETIMES), Barrier(8)

    def ask(number: int) -> Acquired:
        together.wait()
        return tier.acquire(some_ids(500), f"{number:032}", {})

    with ThreadPoolExecutor(8) as pool:
        acquired = list(pool.map(ask, range(8)))

    assert sorted(score_id for each in acquired for score_id in each.ours) == some_ids(500)


def test_what_has_run_out_is_thrown_away_and_what_has_not_stays() -> None:
    timed = ProcessTimedTier()
    young = ScoreId("enwiki", "damaging", 1, "young")
    answers: dict[ScoreId, Answer] = {score_id: a_score() for score_id in some_ids(FEWEST_TO_TIDY)}
    kept = [ref(answer) for answer in answers.values()]
    timed.tier.finish([], answers, MINE)
    answers.clear()
    assert all(each() is not None for each in kept)
    timed.advance(LIFETIMES.result + 1)
    timed.tier.finish([], {young: a_score(version="young")}, MINE)

    assert timed.tier.acquire([young], OTHER, {}).cached == {young: a_score(version="young")}
    assert {each() for each in kept} == {None}
