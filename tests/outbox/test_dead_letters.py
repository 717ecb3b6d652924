"""Dead letters: seen, requeued, discarded."""

from datetime import timedelta
from typing import Any

from sqlalchemy import update

from outbox import EDITS, Dead
from outbox.columns import database_now
from outbox.database import Database
from outbox.dead_letters import DeadLetter, discard, list_dead_letters, requeue
from tests.outbox.lanes import end, record_edits, revisions, take


def give_up(database: Database, *reasons: str) -> list[DeadLetter]:
    """Record an edit for each of *reasons* and give it up for that; the letters, newest first."""
    record_edits(database, len(reasons))
    for claim, reason in zip(take(database), reasons, strict=True):
        end(database, {claim: Dead(reason, f"because {reason}")})
    return listed(database)


def listed(database: Database, **selection: Any) -> list[DeadLetter]:
    with database.reading() as connection:
        return list_dead_letters(connection, EDITS, **selection)


def test_dead_letters_are_listed_newest_first(database: Database) -> None:
    give_up(database, "undecodable", "refused", "attempts_exhausted")

    assert [letter.reason for letter in listed(database)] == ["attempts_exhausted", "refused", "undecodable"]


def test_dead_letters_are_listed_by_reason(database: Database) -> None:
    give_up(database, "refused", "undecodable", "refused")

    assert [letter.error for letter in listed(database, reason="refused")] == ["because refused"] * 2


def test_no_more_dead_letters_are_listed_than_asked_for(database: Database) -> None:
    newest, *_ = give_up(database, "refused", "refused", "refused")

    assert listed(database, limit=1) == [newest]


def test_dead_letters_are_listed_by_their_ids(database: Database) -> None:
    newest, _, oldest = give_up(database, "refused", "refused", "refused")

    assert listed(database, ids=[oldest.id, newest.id]) == [newest, oldest]


def test_dead_letters_are_listed_by_how_long_they_have_been_dead(database: Database) -> None:
    _, oldest = give_up(database, "refused", "refused")
    dead = EDITS.dead_letters
    with database.transaction() as session:
        yesterday = database_now(timedelta(days=-1))
        session.execute(update(dead).where(dead.c.id == oldest.id).values(died_at=yesterday))

    assert [letter.id for letter in listed(database, older_than=timedelta(hours=1))] == [oldest.id]


def test_a_dead_letter_tells_when_it_was_recorded_and_when_it_died(database: Database) -> None:
    (letter,) = give_up(database, "refused")

    assert letter.recorded_at <= letter.died_at


def test_a_requeued_letter_is_claimed_as_if_it_were_new(database: Database) -> None:
    (letter,) = give_up(database, "refused")

    with database.transaction() as session:
        assert requeue(session, EDITS, [letter.id]) == 1

    (claim,) = take(database)
    assert (claim.payload, claim.attempt) == (letter.payload, 1)
    assert listed(database) == []


def test_requeueing_leaves_the_other_letters_where_they_are(database: Database) -> None:
    newest, *others = give_up(database, "refused", "refused", "refused")

    with database.transaction() as session:
        requeue(session, EDITS, [newest.id])

    assert listed(database) == others


def test_requeueing_a_letter_twice_makes_one_message(database: Database) -> None:
    (letter,) = give_up(database, "refused")

    with database.transaction() as session:
        assert [requeue(session, EDITS, [letter.id]) for _ in range(2)] == [1, 0]

    assert revisions(take(database)) == [1]


def test_a_discarded_letter_is_gone(database: Database) -> None:
    newest, oldest = give_up(database, "refused", "refused")

    with database.transaction() as session:
        assert discard(session, EDITS, [newest.id]) == 1

    assert listed(database) == [oldest]
    assert take(database) == []


def test_discarding_a_letter_twice_discards_one(database: Database) -> None:
    (letter,) = give_up(database, "refused")

    with database.transaction() as session:
        assert [discard(session, EDITS, [letter.id]) for _ in range(2)] == [1, 0]
