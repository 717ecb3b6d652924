"""RecentChanges page by page, and the same statement as an admin pastes it or has it explained."""

import re
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import NullPool, create_engine

from outbox.database import Database
from outbox.mediawiki.schema import CORE, recentchanges
from tests.builders import NOON, an_edit, edits
from tests.examples import examples
from tests.worker.classified import ANY_TIME, classify, columns_of
from tests.worker.lines import save
from worker.domain.thresholds import DAMAGING, GOODFAITH, Band
from worker.scores.filters import Change, Cursor, Query, explain, find_changes, script

EVERYTHING = Query(
    since=ANY_TIME,
    bands={DAMAGING: [Band(0.149, 0.3), Band(0.629, 1)], GOODFAITH: [Band(0, 0.647)]},
    above={DAMAGING: 0.15},
    not_above={DAMAGING: 0.998},
    unpatrolled=True,
    hide_bots=True,
    namespaces=(0, 1),
    after=Cursor("20260101120059", 1234),
    limit=7,
)


def a_page(database: Database, after: Cursor | None, limit: int) -> list[Change]:
    query = Query(since=ANY_TIME, bands={}, above={}, not_above={}, after=after, limit=limit)
    with database.reading() as connection:
        return find_changes(connection, query, {})


def leaf_through(database: Database, limit: int) -> list[int]:
    """The revisions of all pages, one after the other."""
    seen: list[int] = []
    after = None
    # More pages than there are changes would be pages without an end.
    for _ in range(20):
        page = a_page(database, after, limit)
        if not page:
            break
        seen += [change.revision for change in page]
        after = page[-1].cursor
    return seen


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seconds=st.lists(st.integers(min_value=0, max_value=2), min_size=1, max_size=14),
    limit=st.integers(min_value=1, max_value=5),
)
def test_pages_hold_each_change_once_however_many_share_a_second(
    database: Database, seconds: list[int], limit: int
) -> None:
    with database.transaction() as session:
        for table in CORE:
            session.execute(table.delete())
    moments = [NOON.replace(second=second) for second in seconds]
    save(database, [an_edit(revision=number, timestamp=moment) for number, moment in enumerate(moments, 1)])

    by_time_and_id = sorted(range(1, len(seconds) + 1), key=lambda number: (-seconds[number - 1], -number))
    assert leaf_through(database, limit) == by_time_and_id


def test_a_change_that_is_saved_meanwhile_shifts_no_page(database: Database) -> None:
    save(database, edits(6))
    first = a_page(database, None, 3)
    save(database, edits(2, first=7))

    assert [change.revision for change in a_page(database, first[-1].cursor, 3)] == [3, 2, 1]


def test_a_change_that_leaves_meanwhile_shifts_no_page(database: Database) -> None:
    save(database, edits(6))
    first = a_page(database, None, 3)
    with database.transaction() as session:
        session.execute(recentchanges.delete().where(recentchanges.c.rc_this_oldid == 4))

    assert [change.revision for change in a_page(database, first[-1].cursor, 3)] == [3, 2, 1]


def test_the_page_after_the_last_is_empty(database: Database) -> None:
    save(database, edits(2))

    assert a_page(database, a_page(database, None, 2)[-1].cursor, 2) == []


@pytest.fixture
def scored(database: Database) -> Database:
    """Sixty edits, of which the newer have the higher probabilities."""
    save(database, edits(60))
    classify(database, {number: number / 100 for number in range(1, 61)})
    classify(database, {number: number / 100 for number in range(1, 61)}, model=GOODFAITH)
    return database


def test_explaining_tells_a_row_for_each_table_and_runs_nothing(scored: Database) -> None:
    with scored.reading() as connection:
        plan = explain(connection, EVERYTHING, columns_of(scored, DAMAGING, GOODFAITH))

    shown = " ".join(str(value) for row in plan for value in row.values())
    assert len(plan) >= 4
    assert all(table in shown for table in ("recentchanges", "damaging_score", "goodfaith_score", "actor"))


def test_a_script_holds_the_users_values_as_parameters_only(scored: Database) -> None:
    text = script(EVERYTHING, columns_of(scored, DAMAGING, GOODFAITH), scored.engine.dialect)

    settings_of_parameters, statement = text.split("SELECT", 1)
    for value in ("0.149", "0.629", "0.647", "0.998", ANY_TIME, "20260101120059", "1234"):
        assert value in settings_of_parameters
        assert value not in statement


@pytest.mark.parametrize("since", ["2026a' OR '1' = '1", "2026a\\' OR '1' = '1", "2026a\\"])
def test_a_value_in_a_script_can_not_end_its_quotes(scored: Database, since: str) -> None:
    query = Query(since=since, bands={}, above={}, not_above={})

    assert run(scored, script(query, {}, scored.engine.dialect)) == []


def test_a_script_finds_what_the_query_finds(scored: Database) -> None:
    columns = columns_of(scored, DAMAGING, GOODFAITH)
    with scored.reading() as connection:
        expected = [change.change for change in find_changes(connection, EVERYTHING, columns)]

    assert run(scored, script(EVERYTHING, columns, scored.engine.dialect)) == expected
    assert len(expected) == 7


def run(database: Database, text: str) -> list[int]:
    """Paste *text* where an admin would; returns the first column."""
    if database.engine.dialect.name == "sqlite":
        assignments = re.findall(r"^\.parameter set :(\w+) (.*)$", text, re.MULTILINE)
        statement = re.sub(r"^\.parameter.*\n", "", text, flags=re.MULTILINE)
        with sqlite3.connect(str(database.url.database)) as connection:
            # As SQLite's own client does, which takes each value for an expression.
            parameters = {name: connection.execute(f"SELECT {value}").fetchone()[0] for name, value in assignments}
            return [row[0] for row in connection.execute(statement, parameters)]
    # An engine of its own, since the variables stay with the connection.
    with create_engine(database.url, poolclass=NullPool).connect() as session:
        *variables, statement, _ = re.split(r";\n?", text)
        for each in variables:
            session.exec_driver_sql(each)
        return list(session.exec_driver_sql(statement).scalars())
