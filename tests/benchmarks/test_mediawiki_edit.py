"""The edit that the benchmark saves by MediaWiki's statements is a whole one, in one transaction with its promise."""

from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy import Connection, create_engine

from benchmarks.scale.mediawiki_edit import Submitted, save_edit, submitted
from benchmarks.scale.mediawiki_tables import WRITTEN, make_wiki
from benchmarks.scale.promise import promise, promise_nothing
from benchmarks.servers import url_of
from outbox import EDITS, Edit
from outbox.database import Engines
from outbox.mediawiki.attaching import attach, detach
from outbox.mediawiki.saving import is_emulated
from tests.services import create_database, drop_database
from worker.upkeep.migrating import migrate

NAME, PAGES = "mediawiki_edit", 3
OUTBOX = EDITS.messages.name


@pytest.fixture(scope="module")
def wiki(mariadb_url: str) -> Iterator[Connection]:
    """A connection of a wiki that exists, with our tables beside its own."""
    engines = Engines()
    database = engines.open("w0", create_database(mariadb_url, NAME))
    migrate(database)
    make_wiki(database, PAGES)
    engine = create_engine(url_of(database))
    with engine.connect() as connection:
        yield connection
    engine.dispose()
    engines.close()
    drop_database(mariadb_url, NAME)


def rows(wiki: Connection) -> dict[str, int]:
    with wiki.begin():
        return {
            table: wiki.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar_one() for table in (*WRITTEN, OUTBOX)
        }


def counters(wiki: Connection) -> Mapping[str, int]:
    """Of this connection; the question itself is counted."""
    with wiki.begin():
        wanted = "SHOW SESSION STATUS WHERE Variable_name IN ('Com_begin', 'Com_commit', 'Questions')"
        return {name: int(value) for name, value in wiki.exec_driver_sql(wanted).all()}


def fails_after_promising(connection: Connection, edit: Submitted, revision: int, parent: int) -> None:
    promise(connection, edit, revision, parent)
    raise LookupError("the edit is refused")


def test_an_edit_leaves_a_row_in_each_table_of_the_wiki_and_one_message(wiki: Connection) -> None:
    before = rows(wiki)

    save_edit(wiki, submitted(1), promise)

    assert rows(wiki) == {table: count + 1 for table, count in before.items()}
    with wiki.begin():
        assert not is_emulated(wiki)


def test_an_edit_and_its_promise_are_fifteen_statements_of_one_transaction(wiki: Connection) -> None:
    before = counters(wiki)

    save_edit(wiki, submitted(2), promise)

    found = {name: count - before[name] for name, count in counters(wiki).items()}
    # The question of before ended with a COMMIT of its own, and the one of now counts itself.
    assert found == {"Com_begin": 1, "Com_commit": 1 + 1, "Questions": 15 + 1 + 1}


def test_what_is_saved_is_the_page_s_latest_revision_with_its_text_and_is_what_was_promised(wiki: Connection) -> None:
    edit = submitted(3)

    save_edit(wiki, edit, promise)

    with wiki.begin():
        text, comment, revision, parent = wiki.exec_driver_sql(
            """
            SELECT old_text, comment_text, rev_id, rev_parent_id FROM page
            JOIN revision ON rev_id = page_latest JOIN comment ON comment_id = rev_comment_id
            JOIN slots ON slot_revision_id = rev_id JOIN content ON content_id = slot_content_id
            JOIN text ON content_address = CONCAT('tt:', old_id) WHERE page_id = 3
            """
        ).one()
        payload = wiki.exec_driver_sql(f"SELECT payload FROM {OUTBOX} ORDER BY id DESC LIMIT 1").scalar_one()
    assert (text, comment) == (edit.text.encode(), edit.summary.encode())
    assert 3000 <= len(text) < 4000
    promised = Edit.decode(payload)
    assert (promised.page, promised.revision, promised.parent_revision) == (3, revision, parent)
    assert revision > parent


def test_an_attached_wiki_promises_the_same_edit_without_a_statement_of_its_own(wiki: Connection) -> None:
    with wiki.begin():
        assert attach(wiki, "w0")
    before, counted = rows(wiki), counters(wiki)

    save_edit(wiki, submitted(1), promise_nothing)

    try:
        found = {name: count - counted[name] for name, count in counters(wiki).items()}
        assert rows(wiki) == {table: count + 1 for table, count in before.items()}
        # One less than with a call.
        assert found["Questions"] == 14 + 1 + 1
    finally:
        with wiki.begin():
            detach(wiki, "w0")


def test_an_edit_that_fails_after_its_promise_leaves_neither(wiki: Connection) -> None:
    before = rows(wiki)

    with pytest.raises(LookupError):
        save_edit(wiki, submitted(1), fails_after_promising)

    assert rows(wiki) == before
