"""Several claimers and the wiki's own edits at once: nothing twice, nothing lost, nobody in another's way.

Where two transactions are open in one thread, waiting for the other's lock would end in the error of a lock wait
time-out; so passing over is told from waiting without a clock.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy.exc import OperationalError

from outbox import EDITS, Claim, Delivered, RetryLater, claim, record, settle
from outbox.database import Database
from tests.builders import an_edit
from tests.outbox.lanes import MINUTE, end, hold, make_due, record_edits, revisions, rows, run_out, take


def all_at_once(workers: int, work: Callable[[], list[Claim]]) -> list[Claim]:
    with ThreadPoolExecutor(workers) as pool:
        return [claim for future in [pool.submit(work) for _ in range(workers)] for claim in future.result()]


def test_a_second_claimer_passes_over_what_the_first_is_taking_without_waiting(mariadb: Database) -> None:
    record_edits(mariadb, 5)
    with mariadb.transaction() as first, mariadb.transaction() as second:
        taken_first = claim(first, EDITS, limit=3, lease=MINUTE)
        taken_second = claim(second, EDITS, limit=3, lease=MINUTE)

    assert (revisions(taken_first), revisions(taken_second)) == ([1, 2, 3], [4, 5])


def test_a_second_claimer_passes_over_a_waiting_message_that_the_first_is_promoting(mariadb: Database) -> None:
    record_edits(mariadb, 1)
    end(mariadb, dict.fromkeys(take(mariadb), RetryLater(timedelta(hours=1), "503")))
    make_due(mariadb)
    with mariadb.transaction() as first, mariadb.transaction() as second:
        taken_first = claim(first, EDITS, limit=3, lease=MINUTE)
        taken_second = claim(second, EDITS, limit=3, lease=MINUTE)

    assert (revisions(taken_first), taken_second) == ([1], [])


def test_an_edit_committed_after_a_younger_one_was_claimed_is_claimed_too(mariadb: Database) -> None:
    with mariadb.transaction() as slow:
        record(slow, an_edit(revision=1))
        record_edits(mariadb, 1, first=2)
        before = take(mariadb)
    after = take(mariadb)

    assert (revisions(before), revisions(after)) == ([2], [1])
    assert after[0].message < before[0].message


@pytest.mark.parametrize("count", [6, 400])
def test_a_settlement_does_not_wait_for_a_claim_in_progress(mariadb: Database, count: int) -> None:
    record_edits(mariadb, count)
    done = take(mariadb, limit=count // 2)
    with mariadb.transaction() as claimer, mariadb.transaction() as settler:
        claim(claimer, EDITS, limit=count, lease=MINUTE)
        kept = settle(settler, EDITS, dict.fromkeys(done, Delivered()))

    assert kept == set(done)


@pytest.mark.parametrize("count", [6, 400])
def test_nothing_waits_for_edits_that_are_long_in_being_saved(mariadb: Database, count: int) -> None:
    """Their messages lie between those of the claim and behind them."""
    record_edits(mariadb, count // 2)
    with mariadb.transaction() as slow:
        record(slow, an_edit(revision=10_001))
        record_edits(mariadb, count // 2, first=count // 2 + 1)
        record(slow, an_edit(revision=10_002))

        claims = take(mariadb, limit=count)
        held = hold(mariadb, claims)
        kept = end(mariadb, dict.fromkeys(claims, Delivered()))

    assert (len(claims), held, len(kept)) == (count, count, count)
    assert revisions(take(mariadb)) == [10_001, 10_002]


@pytest.mark.parametrize("count", [6, 400])
def test_an_edit_does_not_wait_for_a_claim_or_a_settlement_in_progress(mariadb: Database, count: int) -> None:
    record_edits(mariadb, count)
    done = take(mariadb, limit=count // 2)
    with mariadb.transaction() as settler, mariadb.transaction() as claimer, mariadb.transaction() as wiki:
        settle(settler, EDITS, dict.fromkeys(done, Delivered()))
        claim(claimer, EDITS, limit=count, lease=MINUTE)
        record(wiki, an_edit(revision=10_001))

    assert revisions(take(mariadb)) == [10_001]


@pytest.mark.parametrize("settling", [False, True], ids=["claiming only", "settling too"])
def test_claimers_at_once_drain_a_lane_and_claim_every_message_once(database: Database, settling: bool) -> None:
    record_edits(database, 2_000)

    def drain() -> list[Claim]:
        mine: list[Claim] = []
        while taken := take(database, limit=50):
            mine += taken
            if settling:
                assert end(database, dict.fromkeys(taken, Delivered())) == set(taken)
        return mine

    claims = all_at_once(4, drain)

    assert Counter(revisions(claims)) == Counter(range(1, 2_001))
    assert {claim.attempt for claim in claims} == {1}


def test_messages_abandoned_at_once_are_each_claimed_by_one_of_many(database: Database) -> None:
    record_edits(database, 200)
    run_out(database, take(database, limit=200))

    def drain() -> list[Claim]:
        mine: list[Claim] = []
        while taken := take(database, limit=80):
            mine += taken
        return mine

    claims = all_at_once(4, drain)

    assert Counter(revisions(claims)) == Counter(range(1, 201))
    assert {claim.attempt for claim in claims} == {2}


def test_edits_never_meet_a_deadlock_while_the_lane_is_drained(mariadb: Database) -> None:
    saved = Event()
    failures: list[OperationalError] = []

    def save_edits(first: int) -> None:
        for revision in range(first, first + 400):
            try:
                with mariadb.transaction() as session:
                    record(session, an_edit(revision=revision))
            except OperationalError as error:
                failures.append(error)

    def drain() -> list[Claim]:
        done: list[Claim] = []
        while True:
            # Looked at first: an edit may be saved after a claim that came to nothing.
            is_last = saved.is_set()
            taken = take(mariadb, limit=20)
            if is_last and not taken:
                return done
            done += end(mariadb, dict.fromkeys(taken, Delivered()))

    with ThreadPoolExecutor(4) as pool:
        drains = [pool.submit(drain) for _ in range(2)]
        try:
            for saving in [pool.submit(save_edits, first) for first in (1, 10_001)]:
                saving.result()
        finally:
            saved.set()
        done = [claim for drained in drains for claim in drained.result()]

    assert failures == []
    assert len(done) == 800
    assert rows(mariadb, EDITS.messages) == []
