"""A lane whose order matters: one claimer at a time, the oldest first, and what nobody took back in its place."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import cycle
from threading import Event

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import OperationalError

from outbox import Claim, Dead, Delivered, Lane, Outcome, Released, RetryLater, claim_in_order, record_payloads, settle
from outbox.columns import database_now
from outbox.database import Database
from outbox.tables import NEVER
from tests.outbox.lanes import MINUTE, rows, statements
from worker.events.file_sink import FILE
from worker.events.kinds import EVENT_LANES

NOW = timedelta(0)


def promise(database: Database, *names: int, lane: Lane = FILE.lane) -> None:
    with database.transaction() as session:
        record_payloads(session, lane, [str(name) for name in names])


def take(database: Database, *, limit: int = 100, lease: timedelta = MINUTE) -> list[Claim]:
    return given(database, limit=limit, lease=lease) or []


def given(database: Database, *, limit: int = 100, lease: timedelta = MINUTE) -> list[Claim] | None:
    return database.run(lambda session: claim_in_order(session, FILE.lane, limit=limit, lease=lease))


def end(database: Database, claims: Sequence[Claim], outcome: Outcome) -> None:
    database.run(lambda session: settle(session, FILE.lane, dict.fromkeys(claims, outcome)))


def run_out(database: Database) -> None:
    messages = FILE.lane.messages
    with database.transaction() as session:
        session.execute(
            messages.update()
            .where(messages.c.leased_until > NEVER)
            .values(leased_until=database_now(timedelta(seconds=-1)))
        )


def names(claims: Sequence[Claim]) -> list[int]:
    return [int(claim.payload) for claim in claims]


@contextmanager
def waiting_for_nobody(session: Connection) -> Iterator[None]:
    """Let every wait for a lock end in an error at once."""
    session.execute(text("SET SESSION innodb_lock_wait_timeout = 0"))
    try:
        yield
    finally:
        session.execute(text("SET SESSION innodb_lock_wait_timeout = 3"))


def test_messages_are_claimed_in_the_order_in_which_they_were_promised(database: Database) -> None:
    promise(database, 3, 1, 2)

    assert names(take(database)) == [3, 1, 2]


def test_a_claim_takes_no_more_than_its_limit_and_the_next_goes_on_there(database: Database) -> None:
    promise(database, 1, 2, 3, 4, 5)

    first = take(database, limit=2)
    end(database, first, Delivered())

    assert (names(first), names(take(database, limit=2))) == ([1, 2], [3, 4])


def test_an_empty_lane_gives_nothing(database: Database) -> None:
    assert given(database) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_while_a_lease_lives_nobody_else_gets_anything(database: Database, limit: int) -> None:
    promise(database, 1, 2, 3, 4, 5)
    take(database, limit=2)

    assert given(database, limit=limit) is None


def test_a_claim_that_is_refused_reads_no_message_and_writes_nothing(database: Database) -> None:
    promise(database, 1, 2, 3)
    take(database, limit=1)
    before = rows(database, FILE.lane.messages)

    with statements(database.engine) as seen:
        take(database)

    assert [statement.text.split(maxsplit=1)[0] for statement in seen] == ["SELECT"]
    assert not any("payload" in statement.text for statement in seen)
    assert rows(database, FILE.lane.messages) == before


def test_what_a_claimer_left_behind_is_claimed_again_before_all_that_came_later(database: Database) -> None:
    promise(database, *range(1, 11))
    take(database, limit=1)
    run_out(database)

    again = take(database, limit=100)

    assert names(again) == list(range(1, 11))
    assert [claim.attempt for claim in again] == [2] + [1] * 9


def test_a_message_that_kills_its_claimers_is_soon_claimed_alone(database: Database) -> None:
    promise(database, *range(1, 21))
    for _ in range(2):
        take(database, limit=20)
        run_out(database)

    assert names(take(database, limit=20)) == [1]


def test_a_message_that_is_kept_out_of_a_large_company_is_not_overtaken_for_that(database: Database) -> None:
    promise(database, 1, 2, 3)
    for _ in range(2):
        end(database, take(database, limit=8)[:2], Released("down"))
        run_out(database)
    promise(database, 4)

    assert names(take(database, limit=8)) == [1, 2]


def test_lanes_do_not_wait_for_each_other(database: Database) -> None:
    for lane in EVENT_LANES.values():
        promise(database, 1, lane=lane)
    take(database)

    for lane in list(EVENT_LANES.values())[1:]:
        with database.transaction() as session:
            assert names(claim_in_order(session, lane, limit=1, lease=MINUTE) or []) == [1]


def test_what_nobody_took_is_claimed_again_in_its_old_place(database: Database) -> None:
    promise(database, 1, 2, 3)
    end(database, take(database, limit=2), Released("the broker is down"))
    promise(database, 4)

    assert names(take(database)) == [1, 2, 3, 4]


def test_of_one_claim_some_are_delivered_and_the_others_keep_their_places(database: Database) -> None:
    promise(database, 1, 2, 3, 4)
    claims = take(database)
    outcomes = {claim: Delivered() if claim.payload in "13" else Released("full") for claim in claims}

    kept = database.run(lambda session: settle(session, FILE.lane, outcomes))

    assert kept == set(claims)
    assert names(take(database)) == [2, 4]


def test_what_was_delayed_comes_after_what_was_promised_meanwhile(database: Database) -> None:
    """The only way in which messages of a lane overtake each other."""
    promise(database, 1, 2)
    end(database, take(database, limit=1), RetryLater(NOW, "unknown schema"))
    promise(database, 3)

    assert names(take(database)) == [2, 3, 1]


def test_a_message_that_was_given_up_blocks_nobody(database: Database) -> None:
    promise(database, 1, 2)
    end(database, take(database, limit=1), Dead("refused", "no such field"))

    assert names(take(database)) == [2]


def test_the_next_messages_are_not_taken_before_one_that_is_still_being_promised(mariadb: Database) -> None:
    with mariadb.transaction() as slow:
        record_payloads(slow, FILE.lane, ["1"])
        promise(mariadb, 2)
        with (
            mariadb.transaction() as claimer,
            waiting_for_nobody(claimer),
            pytest.raises(OperationalError, match="Lock wait timeout"),
        ):
            claim_in_order(claimer, FILE.lane, limit=100, lease=MINUTE)

    assert names(take(mariadb)) == [1, 2]


def test_a_promise_that_is_taken_back_is_not_waited_for_any_more(mariadb: Database) -> None:
    with mariadb.transaction() as slow:
        record_payloads(slow, FILE.lane, ["1"])
        promise(mariadb, 2)
        slow.rollback()

    assert names(take(mariadb)) == [2]


@pytest.mark.parametrize("limit", [2, 3, 100])
def test_a_promise_behind_all_that_stand_is_not_waited_for(mariadb: Database, limit: int) -> None:
    promise(mariadb, 1, 2)
    with mariadb.transaction() as slow, mariadb.transaction() as claimer, waiting_for_nobody(claimer):
        record_payloads(slow, FILE.lane, ["3"])
        taken = claim_in_order(claimer, FILE.lane, limit=limit, lease=MINUTE)

    assert names(taken or []) == [1, 2]


def test_a_claimer_does_not_wait_for_the_one_that_has_the_lane(mariadb: Database) -> None:
    promise(mariadb, 1, 2, 3)
    claims = take(mariadb, limit=2)
    with mariadb.transaction() as settler, mariadb.transaction() as claimer, waiting_for_nobody(claimer):
        settle(settler, FILE.lane, dict.fromkeys(claims, Delivered()))
        assert claim_in_order(claimer, FILE.lane, limit=2, lease=MINUTE) is None


@pytest.mark.parametrize("count", [6, 400])
def test_a_promise_does_not_wait_for_a_claim_or_a_settlement_in_progress(mariadb: Database, count: int) -> None:
    promise(mariadb, *range(count))
    done = take(mariadb, limit=count // 2)
    with mariadb.transaction() as settler, mariadb.transaction() as wiki, waiting_for_nobody(wiki):
        settle(settler, FILE.lane, dict.fromkeys(done, Delivered()))
        record_payloads(wiki, FILE.lane, ["1000"])
    with mariadb.transaction() as claimer, mariadb.transaction() as wiki, waiting_for_nobody(wiki):
        claim_in_order(claimer, FILE.lane, limit=count, lease=MINUTE)
        record_payloads(wiki, FILE.lane, ["1001"])

    assert len(rows(mariadb, FILE.lane.messages)) == count // 2 + 2


def test_claimers_at_once_take_turns_and_nobody_who_promises_meets_a_deadlock(database: Database) -> None:
    promised = Event()

    def promising(first: int) -> None:
        for number in range(first, first + 300, 3):
            promise(database, number, number + 1, number + 2)

    def claiming() -> list[int]:
        done: list[int] = []
        outcomes: Iterator[Outcome] = cycle([Delivered(), Released("down"), Delivered(), RetryLater(NOW, "503")])
        while not promised.is_set() or has_rows(database):
            if claims := take(database, limit=20):
                assert live_tokens(database) == {claims[0].token}
                outcome = next(outcomes)
                done += names(claims) if isinstance(outcome, Delivered) else []
                end(database, claims, outcome)
            else:
                # SQLite knows no queue: who always asks again leaves nobody else in.
                time.sleep(0.002)
        return done

    with ThreadPoolExecutor(5) as pool:
        claimers = [pool.submit(claiming) for _ in range(3)]
        try:
            for promiser in [pool.submit(promising, first) for first in (0, 10_000)]:
                promiser.result()
        finally:
            promised.set()
        done = [name for claimer in claimers for name in claimer.result()]

    assert sorted(done) == [*range(300), *range(10_000, 10_300)]


def live_tokens(database: Database) -> set[str]:
    messages = FILE.lane.messages
    query = select(messages.c.lease_token).distinct().where(messages.c.leased_until > NEVER)
    with database.reading() as connection:
        return set(connection.execute(query).scalars())


def has_rows(database: Database) -> bool:
    with database.reading() as connection:
        return any(
            connection.execute(select(table.c.id).limit(1)).first() for table in (FILE.lane.messages, FILE.lane.waiting)
        )


def test_what_was_left_out_of_a_suspects_company_is_not_overtaken(database: Database) -> None:
    promise(database, *range(1, 6))
    take(database, limit=20)
    run_out(database)
    promise(database, *range(6, 31))

    first = take(database, limit=20)
    end(database, first, Released("nobody is there"))

    assert names(first) == [1, 2]
    assert names(take(database, limit=20)) == [1, 2]
