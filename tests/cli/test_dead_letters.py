"""`outpatrol dead-letters`: what an operator sees and does about what was given up."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import update

from outbox import EDITS, Dead, claim, record, settle
from outbox.columns import database_now
from outbox.database import Database
from outbox.inspection import inspect_lane
from tests.builders import edits
from tests.cli.conftest import Run


def give_up(database: Database, *reasons: str) -> None:
    with database.transaction() as session:
        record(session, *edits(len(reasons)))
        claims = claim(session, EDITS, limit=len(reasons), lease=timedelta(minutes=1))
        settle(session, EDITS, {c: Dead(reason, f"{reason}!") for c, reason in zip(claims, reasons, strict=True)})


def age(database: Database, letter: int, by: timedelta) -> None:
    dead = EDITS.dead_letters
    with database.transaction() as session:
        session.execute(update(dead).where(dead.c.id == letter).values(died_at=database_now(-by)))


def ids_left(database: Database) -> set[int]:
    with database.reading() as connection:
        return set(connection.execute(EDITS.dead_letters.select()).scalars())


def ready(database: Database) -> int:
    with database.reading() as connection:
        return inspect_lane(connection, EDITS).ready


def test_letters_are_listed_with_payload_and_times_in_utc(wiki: Database, run: Run) -> None:
    give_up(wiki, "undecodable")

    (letter,) = json.loads(run("dead-letters", "list", "--json").stdout)["enwiki"]

    assert letter["payload"]["revision"] == 1
    assert letter["died_at"].endswith("+00:00")


def test_the_table_shows_reason_and_error(wiki: Database, run: Run) -> None:
    give_up(wiki, "undecodable")

    assert "undecodable!" in run("dead-letters", "list").stdout


def test_a_reason_selects(wiki: Database, run: Run) -> None:
    give_up(wiki, "undecodable", "unknown_class")

    listed = json.loads(run("dead-letters", "list", "--reason", "unknown_class", "--json").stdout)["enwiki"]

    assert [letter["reason"] for letter in listed] == ["unknown_class"]


def test_an_age_selects(wiki: Database, run: Run) -> None:
    give_up(wiki, "undecodable", "undecodable")
    age(wiki, 2, timedelta(hours=3))

    listed = json.loads(run("dead-letters", "list", "--older-than", "2h", "--json").stdout)["enwiki"]

    assert [letter["id"] for letter in listed] == [2]


def test_one_letter_is_shown_whole(wiki: Database, run: Run) -> None:
    give_up(wiki, "undecodable")

    assert json.loads(run("dead-letters", "show", "enwiki", 1, "--json").stdout)["error"] == "undecodable!"


def test_a_letter_that_is_not_there_is_told_in_a_sentence(wiki: Database, run: Run) -> None:
    result = run("dead-letters", "show", "enwiki", 7)

    assert result.exit_code == 1
    assert "enwiki has no dead letter 7" in result.stderr


def test_requeued_letters_are_ready_again(wiki: Database, run: Run) -> None:
    give_up(wiki, "undecodable", "unknown_class")

    result = run("dead-letters", "requeue", "--reason", "unknown_class", "--json")

    assert json.loads(result.stdout) == {"requeued": {"enwiki": 1}}
    assert (ready(wiki), ids_left(wiki)) == (1, {1})


def test_discarded_letters_are_gone(wiki: Database, run: Run) -> None:
    give_up(wiki, "undecodable", "undecodable")

    assert run("dead-letters", "discard", 1, "--wiki", "enwiki").exit_code == 0
    assert (ready(wiki), ids_left(wiki)) == (0, {2})


@pytest.mark.parametrize("verb", ["requeue", "discard"])
def test_nothing_selected_ends_nothing(verb: str, wiki: Database, run: Run) -> None:
    give_up(wiki, "undecodable")

    result = run("dead-letters", verb)

    assert result.exit_code == 2
    assert "nothing is selected" in result.stderr
    assert ids_left(wiki) == {1}


def test_ids_need_their_wiki(wiki: Database, run: Run) -> None:
    result = run("dead-letters", "requeue", 1)

    assert result.exit_code == 2
    assert "name it with --wiki" in result.stderr


def test_a_letter_that_is_not_there_is_told_with_a_command_for_its_lane(wiki: Database, run: Run) -> None:
    result = run("dead-letters", "show", "enwiki", 7, "--lane", "event_outbox")
    command = result.stderr.partition("see: outpatrol ")[2].split()

    assert result.exit_code == 1
    assert command == ["dead-letters", "list", "--wiki", "enwiki", "--lane", "event_outbox"]
    assert run(*command).exit_code == 0


def test_all_selects_everything(wiki: Database, run: Run) -> None:
    give_up(wiki, "undecodable", "unknown_class")

    run("dead-letters", "discard", "--all")

    assert ids_left(wiki) == set()


def test_a_duration_that_is_none_is_refused(wiki: Database, run: Run) -> None:
    result = run("dead-letters", "list", "--older-than", "3x")

    assert result.exit_code == 2
    assert "is not a duration" in result.stderr
