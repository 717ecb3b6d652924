"""`attached = true`: `outpatrol migrate` makes the trigger, `status` misses it, `reconcile` finds what it missed."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from outbox import EDITS
from outbox.database import Database
from outbox.errors import DatabaseRefuses
from outbox.mediawiki import attaching
from outbox.mediawiki.attaching import TRIGGER, is_attached
from tests.acceptance.commands import outpatrol, write_settings
from tests.cli.conftest import Run
from tests.cli.upkeep import address, commands_on
from tests.migrations.attached_wiki import NEW, change, revision
from tests.migrations.real_wiki import real_wiki_at
from tests.migrations.schemas import run as run_sql
from tests.worker.lines import status
from worker.incoming.following import end_following, promise_new

#: `run_with(attached=True)`: commands with that setting.
RunWith = Callable[..., Run]


@pytest.fixture
def wiki(tmp_path: Path) -> Iterator[Database]:
    """A wiki that exists, without any table of ours."""
    with real_wiki_at(f"sqlite:///{tmp_path}/enwiki.db") as database:
        yield database


@pytest.fixture
def run_with(wiki: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunWith:
    def commands(**settings: object) -> Run:
        return commands_on(wiki, tmp_path, monkeypatch, wikis={"enwiki": {"database_url": address(wiki), **settings}})

    return commands


@pytest.fixture
def run(run_with: RunWith) -> Run:
    """Commands on the wiki once it is attached."""
    run = run_with(attached=True)
    assert run("migrate").exit_code == 0
    return run


def promised(wiki: Database) -> int:
    return status(wiki, EDITS).ready


def promised_by_poll(wiki: Database) -> int:
    """How many changes a poll reads."""
    return wiki.run(partial(promise_new, wiki="enwiki"))


def test_migrate_attaches_a_wiki_and_says_so_once(wiki: Database, run_with: RunWith) -> None:
    run = run_with(attached=True)

    first, second = run("migrate", "--json"), run("migrate", "--json")

    assert "enwiki: attached, every edit is promised from now on" in first.stderr
    assert json.loads(first.stdout)["enwiki"]["attached"] is True
    assert (second.exit_code, "attached" in second.stderr) == (0, False)
    run_sql(wiki, revision())
    assert promised(wiki) == 1


def test_a_wiki_that_is_not_to_be_attached_gets_no_trigger(wiki: Database, run_with: RunWith) -> None:
    result = run_with()("migrate", "--json")

    run_sql(wiki, revision())

    assert json.loads(result.stdout)["enwiki"]["attached"] is False
    assert promised(wiki) == 0


def test_migrate_detaches_a_wiki_whose_setting_is_gone(wiki: Database, run: Run, run_with: RunWith) -> None:
    result = run_with()("migrate")

    run_sql(wiki, revision())

    assert "enwiki: no longer attached" in result.stderr
    assert promised(wiki) == 0


def test_a_wiki_that_is_attached_by_the_poll_gets_no_trigger_and_is_followed(wiki: Database, run_with: RunWith) -> None:
    first, second = (run_with(attached=True, attached_by="poll")("migrate") for _ in range(2))
    run_sql(wiki, revision(), change())

    assert "enwiki: attached, every edit is promised from now on" in first.stderr
    assert "attached" not in second.stderr
    assert promised(wiki) == 0
    assert promised_by_poll(wiki) == 1
    assert run_with(attached=True, attached_by="poll")("status").exit_code == 0


def test_a_wiki_can_change_from_the_trigger_to_the_poll_and_back(wiki: Database, run: Run, run_with: RunWith) -> None:
    assert run_with(attached=True, attached_by="poll")("migrate").exit_code == 0
    run_sql(wiki, revision(), change())
    assert (promised(wiki), promised_by_poll(wiki)) == (0, 1)

    assert run_with(attached=True)("migrate").exit_code == 0
    run_sql(wiki, revision(NEW + 1), change(NEW + 1))
    assert (promised(wiki), promised_by_poll(wiki)) == (2, 0)

    assert run_with()("migrate").exit_code == 0
    run_sql(wiki, revision(NEW + 2), change(NEW + 2))
    assert (promised(wiki), promised_by_poll(wiki)) == (2, 0)


def test_a_wiki_that_is_to_be_followed_and_is_not_is_an_alarm_with_its_cure(wiki: Database, run_with: RunWith) -> None:
    run = run_with(attached=True, attached_by="poll")
    run("migrate")
    wiki.run(end_following)

    result = run("status")

    assert result.exit_code == 3
    assert "alarm: enwiki: recentchanges of" in result.stderr
    assert "is not followed, so that edits are not promised; run: outpatrol migrate --wiki enwiki" in result.stderr


def test_a_trigger_that_is_gone_is_an_alarm_with_its_cure(wiki: Database, run: Run) -> None:
    assert "outpatrol_revision" not in run("status").stderr
    run_sql(wiki, f"DROP TRIGGER {TRIGGER}")

    result = run("status")

    assert result.exit_code == 3
    assert "alarm: enwiki: the trigger outpatrol_revision of" in result.stderr
    assert "run: outpatrol migrate --wiki enwiki" in result.stderr


def test_a_trigger_that_could_not_be_looked_for_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise DatabaseRefuses("enwiki: the database does not allow that")

    monkeypatch.setattr(attaching, "is_attached", refuse)

    result = run("status")

    assert (result.exit_code, "the database does not allow that" in result.stderr) == (1, True)


def test_migrate_makes_a_trigger_again_that_is_gone(wiki: Database, run: Run) -> None:
    run_sql(wiki, f"DROP TRIGGER {TRIGGER}")

    assert run("migrate").exit_code == 0

    assert wiki.run(lambda connection: is_attached(connection, "enwiki"))


def test_what_is_promised_by_the_trigger_is_not_promised_again_by_reconcile(wiki: Database, run: Run) -> None:
    run_sql(wiki, revision(), change(rc_timestamp="20991231120000"))

    result = run("reconcile", "--json")

    assert json.loads(result.stdout)["enwiki"] == {"compared": 1, "missing": []}


def test_a_wiki_is_not_emulated_and_attached_at_once(tmp_path: Path) -> None:
    settings = {"database_url": f"sqlite:///{tmp_path}/enwiki.db", "emulated": True, "attached": True}
    write_settings(tmp_path, wikis={"enwiki": settings})

    ended = outpatrol(tmp_path, "migrate")

    assert ended.code == 1
    assert "is emulated and attached" in ended.err
    assert "Traceback" not in ended.output


@pytest.mark.parametrize("by", ["trigger", "poll"])
def test_a_database_without_the_wikis_tables_ends_with_a_sentence(tmp_path: Path, by: str) -> None:
    settings = {"database_url": f"sqlite:///{tmp_path}/empty.db", "attached": True, "attached_by": by}
    write_settings(tmp_path, wikis={"enwiki": settings})

    ended = outpatrol(tmp_path, "migrate")

    assert ended.code == 1
    assert "lacks a table or column of MediaWiki's" in ended.err
    assert "Traceback" not in ended.output
