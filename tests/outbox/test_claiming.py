"""A claim: the oldest ready messages, for one worker, for a limited time."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import DBAPIError

from outbox import EDITS, Delivered, Edit, Lane, Released, RetryLater, claim, record_payloads
from outbox.columns import database_now
from outbox.database import Database
from outbox.tables import NEVER
from tests.outbox.lanes import MINUTE, end, hold, make_due, record_edits, revisions, rows, run_out, take
from worker.bootstrap import LANES


def test_a_claim_takes_the_oldest_messages_first(database: Database) -> None:
    record_edits(database, 5)

    assert revisions(take(database, limit=3)) == [1, 2, 3]


def test_a_claim_takes_no_more_than_its_limit(database: Database) -> None:
    record_edits(database, 5)

    assert len(take(database, limit=2)) == 2


def test_a_claim_hands_over_the_payload_as_recorded(database: Database) -> None:
    (edit,) = record_edits(database, 1)

    assert [Edit.decode(taken.payload) for taken in take(database)] == [edit]


def test_a_claim_on_an_empty_lane_is_empty(database: Database) -> None:
    assert take(database) == []


def test_a_claimed_message_is_not_claimed_again_while_the_lease_holds(database: Database) -> None:
    record_edits(database, 3)
    first = take(database, limit=2)

    assert revisions(first + take(database)) == [1, 2, 3]
    assert take(database) == []


def test_the_first_claim_counts_as_attempt_one(database: Database) -> None:
    record_edits(database, 1)

    assert [taken.attempt for taken in take(database)] == [1]


def test_an_expired_lease_is_claimed_again_as_the_next_attempt(database: Database) -> None:
    record_edits(database, 1)
    (first,) = take(database)
    run_out(database, [first])

    (second,) = take(database)

    assert (second.message, second.attempt) == (first.message, 2)
    assert second.token != first.token


def test_a_lease_is_over_when_its_time_is(database: Database) -> None:
    record_edits(database, 1)
    take(database, lease=timedelta(milliseconds=-1))

    assert len(take(database)) == 1


def test_a_message_whose_attempt_was_counted_before_its_worker_died_keeps_counting(database: Database) -> None:
    record_edits(database, 1)
    for _ in range(3):
        run_out(database, take(database))

    assert [taken.attempt for taken in take(database)] == [4]


def test_a_claim_of_one_lane_leaves_the_other_lanes_alone(database: Database) -> None:
    record_edits(database, 1)

    for lane in set(LANES) - {EDITS}:
        with database.transaction() as session:
            assert claim(session, lane, limit=1, lease=MINUTE) == []


def test_a_claim_that_is_rolled_back_leaves_the_message_ready_and_uncounted(database: Database) -> None:
    record_edits(database, 1)
    with database.transaction() as session:
        claim(session, EDITS, limit=1, lease=MINUTE)
        session.rollback()

    assert [taken.attempt for taken in take(database)] == [1]


def test_all_messages_of_one_claim_share_a_token(database: Database) -> None:
    record_edits(database, 10)

    tokens = {taken.token for taken in take(database)}

    assert tokens == {row["lease_token"] for row in rows(database, EDITS.messages)}
    assert len(tokens) == 1


def test_abandoned_messages_are_claimed_in_an_eighth_of_the_company(database: Database) -> None:
    record_edits(database, 40)
    run_out(database, take(database, limit=40))

    assert revisions(take(database, limit=40)) == [1, 2, 3, 4, 5]


def test_a_message_abandoned_again_and_again_is_claimed_alone(database: Database) -> None:
    record_edits(database, 40)
    for _ in range(2):
        run_out(database, take(database, limit=40))

    assert revisions(take(database, limit=40)) == [1]


def test_renewing_keeps_a_lease_that_was_about_to_end(database: Database) -> None:
    record_edits(database, 2)
    claims = take(database)
    run_out(database, claims)

    assert hold(database, claims) == 2
    assert take(database) == []


def test_renewing_tells_how_many_are_still_ours(database: Database) -> None:
    record_edits(database, 3)
    claims = take(database)
    run_out(database, claims[:1])
    take(database)

    assert hold(database, claims) == 2


def test_renewing_nothing_is_nothing(database: Database) -> None:
    assert hold(database, []) == 0


def test_renewing_a_lost_lease_does_not_prolong_its_new_holders(database: Database) -> None:
    record_edits(database, 1)
    lost = take(database)
    run_out(database, lost)
    take(database, lease=timedelta(seconds=5))
    before = rows(database, EDITS.messages)

    hold(database, lost, lease=timedelta(hours=1))

    assert rows(database, EDITS.messages) == before


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: lane.name)
@pytest.mark.parametrize("half", ["lease_token", "leased_until"])
def test_the_database_refuses_half_a_lease(database: Database, lane: Lane, half: str) -> None:
    whole = {"lease_token": "t" * 32, "leased_until": database_now()}
    with pytest.raises(DBAPIError, match="whole_lease"), database.transaction() as session:
        session.execute(insert(lane.messages).values(payload="{}", **whole | {half: None}))


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
@pytest.mark.parametrize("lane", LANES, ids=lambda lane: lane.name)
def test_a_claim_makes_no_row_longer_so_that_the_server_moves_none(database: Database, lane: Lane) -> None:
    with database.transaction() as session:
        record_payloads(session, lane, ["{}"])
    (before,) = rows(database, lane.messages)

    database.run(lambda session: claim(session, lane, limit=1, lease=MINUTE))

    (after,) = rows(database, lane.messages)
    assert [*map(len, (before["lease_token"], after["lease_token"]))] == [32, 32]
    assert before["leased_until"] == NEVER < after["leased_until"]


def test_messages_of_before_which_have_no_room_for_a_lease_are_claimed_like_any(database: Database) -> None:
    record_edits(database, 3)
    with database.transaction() as session:
        session.execute(update(EDITS.messages).values(lease_token=None, leased_until=None))

    claims = take(database)

    assert revisions(claims) == [1, 2, 3]
    assert end(database, dict.fromkeys(claims, Delivered())) == set(claims)


def test_a_message_that_was_tried_before_is_no_suspect_unless_a_lease_of_it_ran_out(database: Database) -> None:
    record_edits(database, 20)
    for _ in range(2):
        end(database, dict.fromkeys(take(database), RetryLater(timedelta(0), "503")))
        make_due(database)
    end(database, dict.fromkeys(take(database), Released("disk full")))

    assert len(take(database)) == 20
