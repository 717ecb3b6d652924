"""What only the tier in the database does: locks between transactions, rows that are thrown away, words in columns."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import pymysql
import pytest
from sqlalchemy import event, func, insert, select

from outbox.columns import database_now
from outbox.database import Database, Engines
from tests.builders import a_score, a_score_error
from tests.worker.flight.timed_tiers import LIFETIMES, age
from tests.worker.flights import some_ids
from worker.domain.scores import NoAnswer, ScoreId
from worker.flight.database_tier import MOST_TIDIED, DatabaseTier, tidy
from worker.flight.tables import LONGEST_SCORE_ID, score_flight
from worker.flight.tiers import Acquired, TierUnavailable

IDS = some_ids(10)
ONE = IDS[0]
MINE, OTHER = "a" * 32, "b" * 32


def a_tier(database: Database) -> DatabaseTier:
    return DatabaseTier(database, LIFETIMES)


def rows(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(score_flight)).scalar_one()


def add_rows_that_have_run_out(database: Database, count: int) -> None:
    with database.transaction() as session:
        long_ago = insert(score_flight).values(runs_out=database_now())
        session.execute(long_ago, [{"score_id": str(score_id)} for score_id in some_ids(count)])
    age(database, 1)


def all_at_once(workers: int, work: Callable[[int], Acquired]) -> list[Acquired]:
    together = Barrier(workers)

    def one(number: int) -> Acquired:
        together.wait()
        return work(number)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, range(workers)))


@contextmanager
def between_look_and_lock(database: Database, happens: Callable[[], object]) -> Iterator[None]:
    """Have something *happen* before the second connection is taken: the first only looks, the second writes."""
    taken: list[object] = []

    def takes(connection: object, _record: object, _proxy: object) -> None:
        taken.append(connection)
        if len(taken) == 2:
            happens()

    event.listen(database.engine.pool, "checkout", takes)
    try:
        yield
    finally:
        event.remove(database.engine.pool, "checkout", takes)
    assert len(taken) > 2


@pytest.mark.parametrize("new", [True, False], ids=["ids that nobody knows", "ids that are free again"])
def test_of_many_who_ask_at_once_one_gets_each_lease_and_nobody_is_turned_away(database: Database, new: bool) -> None:
    tier = a_tier(database)
    if not new:
        tier.acquire(IDS, MINE, {})
        tier.finish(IDS, {}, MINE)

    acquired = all_at_once(20, lambda number: tier.acquire(IDS, f"{number:032}", {}))

    assert sorted(score_id for each in acquired for score_id in each.ours) == IDS
    assert all({*each.ours, *each.under_way} == set(IDS) for each in acquired)


def test_batches_that_overlap_crosswise_are_leased_and_ended_without_a_deadlock_that_shows(database: Database) -> None:
    tier, ids = a_tier(database), some_ids(40)

    def ask_and_end(number: int) -> Acquired:
        token, first = f"{number:032}", number * 5
        wanted = [ids[(first + 3 * step) % 40] for step in range(20)]
        acquired = tier.acquire(wanted[:: -1 if number % 2 else 1], token, {})
        tier.renew(acquired.ours, token)
        tier.finish(acquired.ours, dict.fromkeys(acquired.ours, a_score()), token)
        return acquired

    acquired = all_at_once(8, ask_and_end)

    assert sorted(score_id for each in acquired for score_id in each.ours) == ids


def test_an_answer_is_seen_by_other_processes_of_the_wiki(database: Database) -> None:
    a_tier(database).finish([ONE], {ONE: a_score()}, MINE)
    engines = Engines()
    other = engines.open("enwiki", database.url.render_as_string(hide_password=False))

    assert a_tier(other).acquire([ONE], OTHER, {}) == Acquired(cached={ONE: a_score()})
    engines.close()


@pytest.mark.parametrize("text", ['"', "\\", "'; DROP TABLE score_flight; --", "%s %(key)s :key", "naïve 🙂", "answer"])
def test_words_come_back_as_they_were(database: Database, text: str) -> None:
    tier = a_tier(database)
    score, error = a_score(prediction=text, probability={text: 1.0}), a_score_error(type=text, message=text)
    tier.finish([], {IDS[0]: score, IDS[1]: error, IDS[2]: NoAnswer(text)}, MINE)

    ends = tier.ends(IDS)

    assert [ends[score_id].answer for score_id in IDS[:3]] == [score, error, NoAnswer(text)]


def test_who_listens_looks_again_in_a_moment_for_nobody_would_tell(database: Database) -> None:
    tier = a_tier(database)

    async def listen() -> None:
        async with tier.listening([ONE]) as listen:
            await asyncio.wait_for(listen(60), 50)

    asyncio.run(listen())


def test_only_what_has_run_out_is_thrown_away(database: Database) -> None:
    tier = a_tier(database)
    tier.finish([], {IDS[0]: a_score(), IDS[1]: NoAnswer("down")}, MINE)
    tier.acquire(IDS[2:4], MINE, {})
    age(database, LIFETIMES.lease + 1)
    tier.acquire([IDS[4]], OTHER, {})
    tier.finish([], {IDS[5]: NoAnswer("down")}, OTHER)

    assert tidy(database) == 3
    assert rows(database) == 3
    assert set(tier.ends(IDS)) == {IDS[0], IDS[5]}
    assert tier.acquire([IDS[4]], MINE, {}).under_way[IDS[4]].token == OTHER


def test_a_released_lease_leaves_nothing_that_stays(database: Database) -> None:
    tier = a_tier(database)
    tier.acquire(IDS, MINE, {})
    tier.finish(IDS, {}, MINE)

    assert tidy(database) == 10
    assert rows(database) == 0


def test_so_many_at_most_are_thrown_away_at_once(database: Database) -> None:
    add_rows_that_have_run_out(database, MOST_TIDIED + 1)

    assert [tidy(database), tidy(database), tidy(database)] == [MOST_TIDIED, 1, 0]


def test_a_row_that_was_taken_up_again_while_others_are_thrown_away_stays(database: Database) -> None:
    add_rows_that_have_run_out(database, 2)
    tier = a_tier(database)

    with between_look_and_lock(database, lambda: tier.acquire([ONE], MINE, {})):
        tidy(database)

    assert rows(database) == 1
    assert tier.acquire([ONE], OTHER, {}).under_way[ONE].token == MINE


def test_rows_that_are_thrown_away_while_they_are_asked_for_are_asked_for_all_the_same(database: Database) -> None:
    add_rows_that_have_run_out(database, 10)

    with between_look_and_lock(database, lambda: tidy(database)):
        acquired = a_tier(database).acquire(IDS, MINE, {})

    assert sorted(acquired.ours) == IDS
    assert set(a_tier(database).acquire(IDS, OTHER, {}).under_way) == set(IDS)


def test_an_id_that_is_too_long_for_its_column_is_not_taken_for_another(database: Database) -> None:
    long = [ScoreId("enwiki", "damaging", 1, "9" * LONGEST_SCORE_ID + end) for end in "ab"]

    def holders() -> list[ScoreId]:
        first, second = (a_tier(database).acquire([score_id], MINE, {}).ours for score_id in long)
        return first + second

    if database.engine.dialect.name == "sqlite":
        assert holders() == long
    else:
        with pytest.raises(TierUnavailable):
            holders()


def test_a_database_without_the_table_does_not_answer(tmp_path_factory: pytest.TempPathFactory) -> None:
    engines = Engines()
    empty = engines.open("enwiki", f"sqlite:///{tmp_path_factory.mktemp('empty') / 'enwiki.db'}")

    with pytest.raises(TierUnavailable, match="outpatrol migrate"):
        a_tier(empty).acquire([ONE], MINE, {})
    engines.close()


def test_a_batch_costs_as_many_round_trips_as_two_scores(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    query = pymysql.connections.Connection.query

    def note(self: Any, sql: Any, unbuffered: bool = False) -> int:
        sent.append(str(sql)[:40])
        return query(self, sql, unbuffered)

    tier, counts = a_tier(database), []
    monkeypatch.setattr(pymysql.connections.Connection, "query", note)
    for count in (2, 400):
        sent.clear()
        ids = [ScoreId("enwiki", "damaging", 1000 * count + number, "0.5.1") for number in range(count)]
        tier.acquire(ids, MINE, {})
        tier.finish(ids, {score_id: a_score() for score_id in ids}, MINE)
        counts.append(len(sent))

    assert counts[0] == counts[1]
    assert len(tier.ends(ids)) == 400
