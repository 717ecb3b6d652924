"""`docs/admin-sql.md`: every worked query is run, and finds what Python computes from the same edits."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from outbox.database import Database
from tests.docs.document import DOCUMENT, QUERIES, answers, tables
from tests.docs.expected import EXPECTED
from tests.docs.made_wiki import NOW, Saved, made_edits, make
from tests.migrations.schemas import looked_up
from worker.domain.thresholds import DEFAULT_THRESHOLDS

VIEWS = ("outpatrol_recent_change", "outpatrol_score")


@pytest.fixture(scope="module")
def saved(migrated_database: Database) -> Sequence[Saved]:
    """What is on the module's wiki."""
    return make(migrated_database)


def plain(value: Any) -> Any:
    """*value* as Python would have it, whichever server it comes from."""
    if isinstance(value, bytes):
        return value.decode()
    return float(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("heading", QUERIES)
def test_a_worked_query_finds_what_the_edits_say(
    migrated_database: Database, saved: Sequence[Saved], heading: str
) -> None:
    found = answers(migrated_database, QUERIES[heading].sql, NOW)

    assert [tuple(map(plain, row.values())) for row in found] == EXPECTED[heading](saved)


@pytest.mark.parametrize("heading", EXPECTED)
def test_there_is_something_to_find_and_something_to_leave_out(heading: str) -> None:
    everything = list(made_edits())

    assert 1 < len(EXPECTED[heading](everything)) <= 50 < len(everything)


def test_a_list_is_cut_at_its_limit(migrated_database: Database, saved: Sequence[Saved]) -> None:
    first = QUERIES["Likely damaging, and nobody has looked"].sql

    assert len(answers(migrated_database, first.replace("LIMIT 50", "LIMIT 500"), NOW)) > 50


def test_there_are_ten_worked_queries_and_each_is_tested() -> None:
    assert len(QUERIES) == 10
    assert set(QUERIES) == set(EXPECTED)


def test_no_statement_of_the_document_goes_untested() -> None:
    assert DOCUMENT.count("```sql") == len(QUERIES)


def test_each_worked_query_says_when_an_admin_wants_it() -> None:
    assert [query.heading for query in QUERIES.values() if not query.when.strip().endswith(".")] == []


@pytest.mark.parametrize(("number", "view"), list(enumerate(VIEWS)))
def test_the_document_names_every_column_of_a_view(migrated_database: Database, number: int, view: str) -> None:
    columns = looked_up(migrated_database, lambda inspector: [column["name"] for column in inspector.get_columns(view)])

    assert [cells[0] for cells in tables()[number]] == columns


def test_the_document_tells_the_default_bands() -> None:
    documented = {(model, level, float(low), float(high)) for model, level, low, high in tables()[len(VIEWS)]}

    assert documented == {
        (model, level, threshold.min, threshold.max)
        for model, levels in DEFAULT_THRESHOLDS.items()
        for level, threshold in levels.items()
    }
