"""Settling: one way out of the lane, and none for those who lost their lease."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from outbox import EDITS, Dead, Delivered, Outcome, Released, RetryLater, record_payloads, settle
from outbox.database import Database
from outbox.settling import LARGEST_PAYLOAD
from outbox.tables import NEVER, NOBODYS_TOKEN
from tests.outbox.lanes import end, make_due, record_edits, revisions, rows, run_out, statements, take, take_one

HOUR = timedelta(hours=1)
OUTCOMES: list[Outcome] = [Delivered(), RetryLater(HOUR, "503"), Dead("refused", "400"), Released("disk full")]


def test_a_delivered_message_is_removed(database: Database) -> None:
    claim = take_one(database)

    assert end(database, {claim: Delivered()}) == {claim}
    assert rows(database, EDITS.messages) == []


def test_settling_nothing_keeps_nothing(database: Database) -> None:
    assert end(database, {}) == frozenset()


def test_a_message_put_off_waits_with_its_error(database: Database) -> None:
    claim = take_one(database)
    (message,) = rows(database, EDITS.messages)

    end(database, {claim: RetryLater(HOUR, "the endpoint answers 503")})

    (waiting,) = rows(database, EDITS.waiting)
    assert waiting["error"] == "the endpoint answers 503"
    assert waiting["payload"] == claim.payload
    assert waiting["recorded_at"] == message["recorded_at"]
    assert rows(database, EDITS.messages) == []


def test_a_waiting_message_is_not_claimed_before_it_is_due(database: Database) -> None:
    end(database, {take_one(database): RetryLater(HOUR, "503")})

    assert take(database) == []


def test_a_waiting_message_is_claimed_once_it_is_due(database: Database) -> None:
    end(database, {take_one(database): RetryLater(HOUR, "503")})
    make_due(database)

    assert revisions(take(database)) == [1]
    assert rows(database, EDITS.waiting) == []


def test_a_message_put_off_for_no_time_at_all_is_due_at_once(database: Database) -> None:
    end(database, {take_one(database): RetryLater(timedelta(seconds=-1), "503")})

    assert revisions(take(database)) == [1]


def test_a_promoted_message_remembers_when_it_was_recorded(database: Database) -> None:
    claim = take_one(database)
    (recorded,) = rows(database, EDITS.messages)
    end(database, {claim: RetryLater(HOUR, "503")})
    make_due(database)
    take(database)

    assert [row["recorded_at"] for row in rows(database, EDITS.messages)] == [recorded["recorded_at"]]


def test_a_claim_promotes_no_more_than_its_limit(database: Database) -> None:
    record_edits(database, 3)
    end(database, dict.fromkeys(take(database), RetryLater(HOUR, "503")))
    make_due(database)

    assert len(take(database, limit=2)) == 2
    assert len(rows(database, EDITS.waiting)) == 1


@pytest.mark.parametrize(("burns_attempt", "next_attempt"), [(True, 2), (False, 1)])
def test_a_retry_counts_as_an_attempt_unless_it_gives_it_back(
    database: Database, burns_attempt: bool, next_attempt: int
) -> None:
    end(database, {take_one(database): RetryLater(HOUR, "503", burns_attempt=burns_attempt)})
    make_due(database)

    assert [claim.attempt for claim in take(database)] == [next_attempt]


def test_a_dead_message_moves_to_the_dead_letters_with_its_reason(database: Database) -> None:
    claim = take_one(database)
    (message,) = rows(database, EDITS.messages)

    end(database, {claim: Dead("refused", "the endpoint answers 400")})

    (letter,) = rows(database, EDITS.dead_letters)
    assert (letter["reason"], letter["error"], letter["attempt"]) == ("refused", "the endpoint answers 400", 1)
    assert (letter["payload"], letter["recorded_at"]) == (claim.payload, message["recorded_at"])
    assert rows(database, EDITS.messages) == []


@pytest.mark.parametrize("payload", [None, "x" * LARGEST_PAYLOAD])
@pytest.mark.parametrize("kind", [RetryLater, Dead])
def test_an_error_in_letters_that_no_table_holds_keeps_nobody_from_settling(
    database: Database, kind: type[RetryLater] | type[Dead], payload: str | None
) -> None:
    if payload is not None:
        with database.transaction() as session:
            record_payloads(session, EDITS, [f'"{payload}"'])
    (claim,) = [take_one(database)] if payload is None else take(database)
    error = "413 \udcff \ud800"

    end(database, {claim: RetryLater(HOUR, error) if kind is RetryLater else Dead("refused", error)})

    (kept,) = rows(database, EDITS.waiting if kind is RetryLater else EDITS.dead_letters)
    assert kept["error"] == "413 ? ?"


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_lost_lease_writes_nothing(database: Database, outcome: Outcome) -> None:
    lost = take_one(database)
    run_out(database, [lost])
    (held,) = take(database)
    before = rows(database, EDITS.messages)

    assert end(database, {lost: outcome}) == frozenset()
    assert rows(database, EDITS.messages) == before
    assert rows(database, EDITS.waiting) == []
    assert rows(database, EDITS.dead_letters) == []
    assert end(database, {held: Delivered()}) == {held}


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_what_was_settled_once_is_not_settled_again(database: Database, outcome: Outcome) -> None:
    claim = take_one(database)
    end(database, {claim: Delivered()})

    assert end(database, {claim: outcome}) == frozenset()
    assert rows(database, EDITS.waiting) == []
    assert rows(database, EDITS.dead_letters) == []


def test_a_lease_that_ran_out_but_was_claimed_by_nobody_is_still_ours(database: Database) -> None:
    claim = take_one(database)
    run_out(database, [claim])

    assert end(database, {claim: Delivered()}) == {claim}


def test_of_a_batch_only_what_is_still_ours_is_written(database: Database) -> None:
    record_edits(database, 9)
    claims = take(database)
    for lost in claims[0::3]:
        run_out(database, [lost])
        take(database)

    kept = end(database, {claim: OUTCOMES[number // 3] for number, claim in enumerate(claims)})

    assert sorted(revisions(list(kept))) == [2, 3, 5, 6, 8, 9]
    assert [row["payload"] for row in rows(database, EDITS.waiting)] == [claim.payload for claim in claims[4:6]]
    assert [row["payload"] for row in rows(database, EDITS.dead_letters)] == [claim.payload for claim in claims[7:9]]
    assert len(rows(database, EDITS.messages)) == 3


def test_settling_a_part_of_a_claim_leaves_the_rest_of_it_claimed(database: Database) -> None:
    record_edits(database, 3)
    first, second, third = take(database)

    end(database, {first: Delivered(), third: Delivered()})

    assert [row["id"] for row in rows(database, EDITS.messages)] == [second.message]


def test_a_settlement_that_is_rolled_back_ends_nothing(database: Database) -> None:
    claim = take_one(database)
    with database.transaction() as session:
        settle(session, EDITS, {claim: RetryLater(HOUR, "503")})
        session.rollback()

    assert rows(database, EDITS.waiting) == []
    assert end(database, {claim: Delivered()}) == {claim}


def test_a_released_message_is_as_it_was_before_the_claim(database: Database) -> None:
    record_edits(database, 3)
    with database.transaction() as session:
        # As one is made on MariaDB.
        session.execute(update(EDITS.messages).values(lease_token=NOBODYS_TOKEN, leased_until=NEVER))
    before = rows(database, EDITS.messages)

    end(database, dict.fromkeys(take(database), Released("disk full")))

    assert rows(database, EDITS.messages) == before
    assert rows(database, EDITS.waiting) == []
    assert rows(database, EDITS.dead_letters) == []


def test_releasing_burns_no_attempt_however_often(database: Database) -> None:
    record_edits(database, 1)
    for _ in range(20):
        end(database, dict.fromkeys(take(database), Released("disk full")))

    assert [claim.attempt for claim in take(database)] == [1]


def test_releasing_gives_back_no_attempt_of_an_earlier_claim(database: Database) -> None:
    lost = take_one(database)
    run_out(database, [lost])
    end(database, dict.fromkeys(take(database), Released("disk full")))

    assert [claim.attempt for claim in take(database)] == [2]


def test_a_released_message_is_ready_at_once(database: Database) -> None:
    record_edits(database, 2)
    end(database, dict.fromkeys(take(database, limit=1), Released("disk full")))

    assert revisions(take(database)) == [1, 2]


def test_releasing_is_one_statement_however_many_messages(database: Database) -> None:
    record_edits(database, 200)
    claims = take(database, limit=200)

    with statements(database.engine) as seen:
        assert len(end(database, dict.fromkeys(claims, Released("disk full")))) == 200

    assert [statement.text.split(maxsplit=1)[0] for statement in seen] == ["UPDATE"]


def test_releasing_leaves_the_lease_of_another_claim_alone(database: Database) -> None:
    record_edits(database, 2)
    lost = take(database)
    run_out(database, lost[:1])
    (held,) = take(database)

    end(database, dict.fromkeys(lost, Released("disk full")))

    assert end(database, {held: Delivered()}) == {held}
    assert revisions(take(database)) == [2]
