"""`outpatrol migrate`, `replay` and `listen` on a wiki that exists, and on settings that mean another database."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from outbox import EDITS
from outbox.database import Database, Engines
from tests.acceptance.commands import CELERY, call, outpatrol, write_settings
from tests.cli.conftest import Run
from tests.cli.upkeep import address, commands_on
from tests.event_stream import EmulatedEventStream
from tests.migrations.real_wiki import CORE, real_wiki_at, their_rows
from tests.migrations.schemas import run as run_sql
from tests.migrations.schemas import tables
from tests.worker.incoming.stream_events import a_recent_change, line
from tests.worker.lines import count

#: A wiki of another kind may have tables with these names, and even with the columns that are read.
PAGE = "CREATE TABLE page (page_id INTEGER, page_namespace INTEGER, page_title TEXT, page_latest INTEGER, slug TEXT)"
REVISION = (
    "CREATE TABLE revision (rev_id INTEGER, rev_page INTEGER, rev_actor INTEGER, rev_timestamp TEXT, "
    "rev_parent_id INTEGER, rev_minor_edit INTEGER, rev_deleted INTEGER, rev_len INTEGER)"
)
NEEDS_CHANGES = [("scores", "populate"), ("recentchanges", "--wiki", "enwiki"), ("reconcile",)]
SAME_DATABASE_TWICE = """\
[endpoint]
url = "http://127.0.0.1:1"
[wikis.enwiki]
database_url = "sqlite:///one.db"
[wikis.frwiki]
database_url = "sqlite:///./one.db"
"""


@pytest.fixture
def real_wiki(tmp_path: Path) -> Iterator[Database]:
    with real_wiki_at(f"sqlite:///{tmp_path}/enwiki.db") as database:
        yield database


@pytest.fixture
def run_on_it(real_wiki: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return commands_on(real_wiki, tmp_path, monkeypatch, emulated=False)


def test_a_real_wiki_is_migrated_and_kept_as_it_is(real_wiki: Database, run_on_it: Run) -> None:
    before = their_rows(real_wiki)

    result = run_on_it("migrate", "--json")

    assert result.exit_code == 0, result.stderr
    assert "there is no" not in result.stderr
    assert their_rows(real_wiki) == before


def test_a_real_wiki_that_is_declared_emulated_ends_with_a_sentence(real_wiki: Database, tmp_path: Path) -> None:
    write_settings(tmp_path, database_url=address(real_wiki), emulated=True)

    ended = outpatrol(tmp_path, "migrate")

    assert ended.code == 1
    assert "has tables of a wiki that exists: actor, page, recentchanges, revision" in ended.err
    assert "Traceback" not in ended.output
    assert not tables(real_wiki) & {"outbox", "outpatrol_own_table"}


def test_a_database_that_is_no_wikis_ends_with_a_sentence(run: Run, tmp_path: Path) -> None:
    engines = Engines()
    run_sql(engines.open("enwiki", f"sqlite:///{tmp_path}/enwiki.db"), "CREATE TABLE page (id INTEGER, slug TEXT)")

    write_settings(tmp_path, emulated=False)
    ended = outpatrol(tmp_path, "migrate")

    assert ended.code == 1
    assert "has a table page without page_id, which is not MediaWiki's" in ended.err
    assert "Traceback" not in ended.output
    engines.close()


def test_a_wiki_without_tables_that_is_not_declared_emulated_is_told_what_it_can_not_have(tmp_path: Path) -> None:
    write_settings(tmp_path, emulated=False)

    ended = outpatrol(tmp_path, "migrate")

    assert ended.code == 0
    assert "enwiki: there is no actor, page, revision, recentchanges in sqlite" in ended.err
    assert "set wikis.enwiki.emulated = true" in ended.err


def test_a_replay_into_a_real_wiki_tells_what_it_only_promised(
    real_wiki: Database, run_on_it: Run, tmp_path: Path
) -> None:
    run_on_it("migrate")
    before = their_rows(real_wiki, CORE)
    (tmp_path / "edits.ndjson").write_bytes(line(a_recent_change(1)) + line(a_recent_change(2)))

    result = run_on_it("replay", tmp_path / "edits.ndjson", "--json", "--strict")

    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["edits"], document["saved"], document["promised"]) == (2, {}, {"enwiki": 2})
    assert "2 edits promised, not saved" in result.stderr
    assert (count(real_wiki, EDITS.messages), their_rows(real_wiki, CORE)) == (2, before)


def test_listening_on_a_real_wiki_tells_what_it_only_promised(
    real_wiki: Database, run_on_it: Run, event_stream: EmulatedEventStream
) -> None:
    run_on_it("migrate")
    before = their_rows(real_wiki, CORE)
    event_stream.send(a_recent_change(1), a_recent_change(2))

    result = run_on_it("listen", event_stream.stream(), "--since", "2026-01-01", "--limit", "2", "--json")

    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["edits"], document["saved"], document["promised"]) == (2, {}, {"enwiki": 2})
    assert (count(real_wiki, EDITS.messages), their_rows(real_wiki, CORE)) == (2, before)


@pytest.mark.parametrize("command", [("migrate",), ("status",), ("replay", "-")])
def test_two_wikis_in_one_database_end_every_command_with_a_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "outpatrol.toml").write_text(SAME_DATABASE_TWICE)

    ended = outpatrol(tmp_path, *command)

    assert ended.code == 1
    assert "wikis.frwiki.database_url: leads to the database of enwiki" in ended.err
    assert "Traceback" not in ended.output
    assert not (tmp_path / "one.db").exists()


def test_two_wikis_in_one_database_are_told_where_a_variable_made_them_so(tmp_path: Path) -> None:
    (tmp_path / "outpatrol.toml").write_text(SAME_DATABASE_TWICE.replace("./one.db", "two.db"))
    (tmp_path / "here").symlink_to(tmp_path)

    ended = outpatrol(
        tmp_path, "migrate", variables={"OUTPATROL_WIKIS__FRWIKI__DATABASE_URL": f"sqlite:///{tmp_path}/here/one.db"}
    )

    assert ended.code == 1
    assert "wikis.frwiki.database_url: leads to the database of enwiki" in ended.err


def test_a_worker_does_not_start_with_two_wikis_in_one_database(tmp_path: Path) -> None:
    (tmp_path / "outpatrol.toml").write_text(SAME_DATABASE_TWICE)

    ended = call([*CELERY, "worker", "--pool", "solo"], tmp_path)

    assert ended.code != 0
    assert "wikis.frwiki.database_url: leads to the database of enwiki" in ended.output


@pytest.fixture
def run_on_another_kind(tmp_path: Path, run: Run) -> Iterator[Run]:
    """Commands on a wiki that has `page` and `revision`, and is no MediaWiki."""
    write_settings(tmp_path, emulated=False)
    engines = Engines()
    database = engines.open("enwiki", f"sqlite:///{tmp_path}/enwiki.db")
    run_sql(database, PAGE, REVISION)
    assert run("migrate").exit_code == 0
    yield run
    engines.close()


@pytest.mark.parametrize("command", NEEDS_CHANGES)
def test_what_needs_mediawikis_tables_says_which_is_missing_and_what_works_without(
    command: tuple[str, ...], run_on_another_kind: Run
) -> None:
    result = run_on_another_kind(*command)

    assert result.exit_code == 1
    assert "no such table: recentchanges" in result.stderr
    assert "what is recorded there is scored and announced without it" in result.stderr


def test_what_does_not_need_them_works_without(run_on_another_kind: Run, tmp_path: Path) -> None:
    (tmp_path / "edits.ndjson").write_bytes(line(a_recent_change(1)))

    assert run_on_another_kind("replay", tmp_path / "edits.ndjson", "--strict").exit_code == 0
    assert json.loads(run_on_another_kind("status", "--json").stdout)["enwiki"]["outbox"]["ready"] == 1
