"""A wiki that exists is never written to, whatever its server lets pass; only what the migrations made is ours."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from outbox import EDITS, Edit
from outbox.database import Database, Engines
from outbox.errors import ForeignTables
from outbox.mediawiki.saving import expire_changes, free_title, is_emulated, save_edit
from outbox.mediawiki.schema import CORE, page, revision
from outbox.ownership import made_here
from tests.builders import an_edit
from tests.lax_server import empty_sql_mode
from tests.migrations.real_wiki import make_real_wiki, their_rows
from tests.migrations.schemas import run
from tests.outbox.lanes import rows
from tests.services import create_database, drop_database
from tests.worker.lines import statements
from worker.upkeep.migrating import migrate

#: On the page "Café Noir", which the wiki has under the number 5.
CLASH = an_edit(revision=745065891, page=6, title="Café Noir")


@pytest.fixture(scope="module")
def real_wiki(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, backend: str
) -> Iterator[Database]:
    """A MediaWiki's database with our lanes beside its own tables."""
    engines = Engines()
    if backend == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('real') / 'enwiki.db'}"
    else:
        url = create_database(request.getfixturevalue("mariadb_url"), "outbox_real_wiki")
    database = engines.open("enwiki", url)
    make_real_wiki(database)
    migrate(database)
    yield database
    engines.close()
    if backend != "sqlite":
        drop_database(request.getfixturevalue("mariadb_url"), "outbox_real_wiki")


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def lax_server(request: pytest.FixtureRequest, backend: str) -> Iterator[None]:
    """The server as many a MediaWiki has it: sql_mode is empty for all who do not say otherwise."""
    if backend == "sqlite":
        yield
        return
    with empty_sql_mode(request.getfixturevalue("mariadb_url")):
        yield


@pytest.fixture
def emptied_mark(database: Database) -> Iterator[Database]:
    """The module's emulated wiki; the marks are as they were when the test ends."""
    yield database
    with database.transaction() as session:
        there = set(session.execute(select(made_here.c.name)).scalars())
        for name in {table.name for table in CORE} - there:
            session.execute(insert(made_here).values(name=name))


def refused(database: Database, edit: Edit) -> None:
    with pytest.raises(ForeignTables), database.transaction() as session:
        save_edit(session, edit)


@pytest.mark.usefixtures("lax_server")
def test_an_edit_of_a_real_wikis_title_under_another_number_destroys_nothing(real_wiki: Database) -> None:
    before = their_rows(real_wiki)

    refused(real_wiki, CLASH)
    with pytest.raises(ForeignTables), real_wiki.transaction() as session:
        free_title(session, CLASH)

    assert their_rows(real_wiki) == before


def test_saving_on_a_real_wiki_promises_nothing_either(real_wiki: Database) -> None:
    refused(real_wiki, an_edit())

    assert rows(real_wiki, EDITS.messages) == []


def test_a_real_wiki_is_found_out_before_the_first_row_is_written(real_wiki: Database) -> None:
    with statements(real_wiki) as seen:
        refused(real_wiki, an_edit())

    assert seen
    assert all(statement.startswith("SELECT") for statement in seen)


def test_a_refusal_names_the_database_and_both_ways_out(real_wiki: Database) -> None:
    with pytest.raises(ForeignTables) as caught, real_wiki.transaction() as session:
        save_edit(session, an_edit())

    assert str(real_wiki.url.database) in str(caught.value)
    assert "promise the edit with outbox.record, or set emulated = true" in str(caught.value)


def test_a_session_of_the_callers_own_is_refused_too(real_wiki: Database) -> None:
    before = their_rows(real_wiki)

    with (
        pytest.raises(ForeignTables),
        real_wiki.engine.connect() as connection,
        Session(connection) as session,
        session.begin(),
    ):
        save_edit(session, CLASH)

    assert their_rows(real_wiki) == before


def test_changes_of_a_real_wiki_do_not_expire(real_wiki: Database) -> None:
    before = their_rows(real_wiki)

    with pytest.raises(ForeignTables), real_wiki.transaction() as session:
        expire_changes(session, before=datetime(2030, 1, 1, tzinfo=UTC), limit=10)

    assert their_rows(real_wiki) == before


def test_an_emulated_wiki_is_asked_once_on_a_connection(database: Database) -> None:
    def marks(seen: list[str]) -> int:
        return sum("outpatrol_own_table" in statement or "LIMIT" in statement for statement in seen)

    with database.engine.connect() as connection, statements(database) as seen:
        for number in (1, 2, 3):
            with Session(connection) as session, session.begin():
                save_edit(session, an_edit(revision=number))
            if number == 1:
                seen.clear()

    assert seen
    assert marks(seen) == 0


@pytest.mark.parametrize("name", sorted(table.name for table in CORE))
def test_a_wiki_of_which_one_table_is_not_ours_is_not_emulated(emptied_mark: Database, name: str) -> None:
    emptied_mark.engine.dispose()
    with emptied_mark.transaction() as session:
        session.execute(delete(made_here).where(made_here.c.name == name))

    refused(emptied_mark, an_edit())


def test_a_no_is_asked_again(emptied_mark: Database) -> None:
    emptied_mark.engine.dispose()
    with emptied_mark.engine.connect() as connection:
        with connection.begin():
            connection.execute(delete(made_here).where(made_here.c.name == "page"))
            assert not is_emulated(connection)
        with connection.begin():
            connection.execute(insert(made_here).values(name="page"))
            assert is_emulated(connection)


def test_a_dump_of_a_mediawiki_over_an_emulated_wiki_makes_it_a_real_one(emptied_mark: Database) -> None:
    """The marks are still there, for the dump does not know of them."""
    schema = "" if emptied_mark.url.get_backend_name() == "sqlite" else f"{emptied_mark.url.database}."
    emptied_mark.engine.dispose()
    run(emptied_mark, f"ALTER TABLE {schema}page ADD COLUMN page_content_model VARCHAR(32)")
    try:
        refused(emptied_mark, an_edit())
    finally:
        run(emptied_mark, f"ALTER TABLE {schema}page DROP COLUMN page_content_model")


def test_a_title_that_is_freed_leaves_its_page_and_revisions_where_they_are(database: Database) -> None:
    with database.transaction() as session:
        save_edit(session, an_edit(revision=1, page=7, title="Foo"))
    with database.transaction() as session:
        free_title(session, an_edit(revision=2, page=8, title="Foo"))
        save_edit(session, an_edit(revision=2, page=8, title="Foo"))

    pages = {row["page_id"]: (row["page_title"], row["page_latest"]) for row in rows(database, page)}
    assert pages == {7: ("Broken/id:7/Foo", 1), 8: ("Foo", 2)}
    assert [(row["rev_id"], row["rev_page"]) for row in rows(database, revision)] == [(1, 7), (2, 8)]


def test_a_long_title_can_be_freed_often(database: Database) -> None:
    title = "維" * 85
    for number in (1, 2, 3):
        edit = an_edit(revision=number, page=number, title=title)
        with database.transaction() as session:
            free_title(session, edit)
            save_edit(session, edit)

    assert len({row["page_title"] for row in rows(database, page)}) == 3
