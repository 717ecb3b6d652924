"""Asking many wikis at once: one statement a server, and a wiki that can't be asked stands alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Boolean, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

from outbox import EDITS, RetryLater, record_payloads
from outbox.database import Database, Engines
from outbox.errors import DatabaseNotMigrated, OutboxError
from outbox.inspection import work_of
from outbox.polling import MOST_AT_ONCE, Poll
from tests.outbox.lanes import MINUTE, end, make_due, record_edits, statements, take
from tests.services import create_database, drop_database
from tests.wiki_tables import empty_tables, make_tables
from worker.events.file_sink import FILE

WIKIS = tuple(f"poll{number}wiki" for number in range(8))


@pytest.fixture(scope="module")
def on_one_server(mariadb_url: str) -> Iterator[list[Database]]:
    engines = Engines()
    databases = [engines.open(wiki, create_database(mariadb_url, wiki)) for wiki in WIKIS]
    for database in databases:
        make_tables(database)
    yield databases
    engines.close()
    for wiki in WIKIS:
        drop_database(mariadb_url, wiki)


@pytest.fixture(autouse=True)
def empty(request: pytest.FixtureRequest) -> None:
    if "on_one_server" in request.fixturenames:
        for database in request.getfixturevalue("on_one_server"):
            empty_tables(database)


@pytest.fixture
def poll() -> Poll:
    return Poll({lane.name: work_of(lane) for lane in (EDITS, FILE.lane)})


def test_all_wikis_of_a_server_are_asked_by_one_statement(on_one_server: list[Database], poll: Poll) -> None:
    record_edits(on_one_server[3], 5)
    with on_one_server[5].transaction() as session:
        record_payloads(session, FILE.lane, ["{}"])

    with statements(on_one_server[0].server.engine) as seen:
        found = poll.ask(on_one_server)

    assert sorted(found.yes) == [(WIKIS[3], EDITS.name), (WIKIS[5], FILE.lane.name)]
    assert found.failed == {}
    assert len(seen) == 1


def test_a_wiki_without_a_table_stands_alone_after_a_few_statements(on_one_server: list[Database], poll: Poll) -> None:
    record_edits(on_one_server[7], 1)
    broken = on_one_server[6]
    with broken.transaction() as session:
        session.execute(text(f"RENAME TABLE {broken.schema}.outbox TO {broken.schema}.gone"))
    try:
        with statements(broken.server.engine) as seen:
            found = poll.ask(on_one_server)
    finally:
        with broken.transaction() as session:
            session.execute(text(f"RENAME TABLE {broken.schema}.gone TO {broken.schema}.outbox"))

    assert (WIKIS[7], EDITS.name) in found.yes
    assert list(found.failed) == [WIKIS[6]]
    assert isinstance(found.failed[WIKIS[6]], DatabaseNotMigrated)
    assert WIKIS[6] in str(found.failed[WIKIS[6]])
    # All eight, then by halves down to the one, each time with the other half.
    assert len(seen) == 1 + 2 * 3


def test_a_wiki_whose_table_is_locked_is_not_waited_for(on_one_server: list[Database], poll: Poll) -> None:
    locked = on_one_server[2]
    with locked.reading() as connection:
        connection.execute(text(f"LOCK TABLES {locked.schema}.outbox WRITE"))

        found = poll.ask(on_one_server)
        connection.execute(text("UNLOCK TABLES"))

    assert list(found.failed) == [WIKIS[2]]


def test_very_many_wikis_are_asked_in_several_statements(on_one_server: list[Database], poll: Poll) -> None:
    database = on_one_server[0]
    many = [Database(f"w{number}", database.server, database.url) for number in range(MOST_AT_ONCE + 1)]

    with statements(database.server.engine) as seen:
        poll.ask(many)

    assert len(seen) == 2


def test_names_that_need_quotes_are_asked_for_as_they_are(mariadb_url: str, poll: Poll) -> None:
    engines = Engines()
    database = engines.open("o'wiki", create_database(mariadb_url, "poll-odd wiki"))
    make_tables(database)
    record_edits(database, 1)

    found = poll.ask([database])

    engines.close()
    drop_database(mariadb_url, "poll-odd wiki")
    assert found.yes == [("o'wiki", EDITS.name)]


def test_questions_are_compiled_once_for_all_wikis_on_servers_of_one_kind(on_one_server: list[Database]) -> None:
    compiled: list[str] = []

    class Question(FunctionElement[bool]):
        type = Boolean()
        inherit_cache = True

    @compiles(Question)
    def compile_it(_element: Question, _compiler: object, **_: object) -> str:
        compiled.append("now")
        return "1 = 1"

    found = Poll({"any": Question()}).ask(on_one_server)

    assert found.yes == [(wiki, "any") for wiki in WIKIS]
    assert len(compiled) == 1


def test_what_waits_is_found_when_its_time_has_come(database: Database, poll: Poll) -> None:
    record_edits(database, 1)
    end(database, dict.fromkeys(take(database), RetryLater(MINUTE, "503")))
    assert poll.ask([database]).yes == []

    make_due(database)

    assert poll.ask([database]).yes == [("enwiki", EDITS.name)]


def test_what_is_claimed_is_no_work(database: Database, poll: Poll) -> None:
    record_edits(database, 1)
    take(database)

    assert poll.ask([database]).yes == []


def test_a_damaged_file_is_one_wikis_trouble(tmp_path: Path, poll: Poll) -> None:
    engines = Engines()
    enwiki, frwiki, hewiki = (
        engines.open(wiki, f"sqlite:///{tmp_path / wiki}.db") for wiki in ("enwiki", "frwiki", "hewiki")
    )
    for database in (enwiki, frwiki, hewiki):
        make_tables(database)
        record_edits(database, 1)
    engines.close()
    file = tmp_path / "enwiki.db"
    content = file.read_bytes()
    file.write_bytes(content[:100] + b"\xff" * (len(content) - 100))

    found = poll.ask([enwiki, frwiki, hewiki])
    engines.close()

    assert found.yes == [("frwiki", EDITS.name), ("hewiki", EDITS.name)]
    assert list(found.failed) == ["enwiki"]
    assert isinstance(found.failed["enwiki"], OutboxError)
