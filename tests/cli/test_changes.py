"""The table of changes, as `outpatrol recentchanges` and `outpatrol demo` show it."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from tests.builders import some_settings
from worker.bootstrap import build_services
from worker.cli.changes import STYLES, age, changes_table, flags
from worker.scores.filtering import Filters, Level
from worker.scores.filters import Change, ScoreColumn

NOW = datetime(2026, 1, 8, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def filters() -> Iterator[dict[str, Filters]]:
    """The filters of two wikis with the default thresholds, as they are where nothing needs resolving."""
    services = build_services(some_settings(wikis=["enwiki", "frwiki"]))
    yield {
        wiki.id: Filters(
            wiki=wiki,
            versions={"damaging": "1", "goodfaith": "1"},
            columns={"damaging": ScoreColumn(1, 1), "goodfaith": ScoreColumn(2, 1)},
            levels={
                model: {name: Level(threshold, threshold.band({})) for name, threshold in levels.items()}
                for model, levels in wiki.thresholds.items()
            },
        )
        for wiki in services.wikis.values()
    }
    services.close()


def a_change(**fields: Any) -> Change:
    defaults: dict[str, Any] = {
        "change": 1, "revision": 1, "parent_revision": 2, "namespace": 0, "title": "Page", "user": "Alice",
        "timestamp": "20260101120000", "is_new": False, "is_bot": False, "is_minor": False, "patrolled": 1,
        "length_change": 0, "probabilities": {},
    }  # fmt: skip
    return Change(**(defaults | fields))


def printed(filters: dict[str, Filters], change: Change, *, width: int, with_wiki: bool = False) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(changes_table([(filters["enwiki"], change)], NOW, width=width, with_wiki=with_wiki))
    return console.export_text().splitlines()


LONG_TITLE = "Lista de monumentos del patrimonio histórico de la provincia"


@pytest.mark.parametrize("with_wiki", [False, True])
@pytest.mark.parametrize("width", [80, 90, 109])
def test_on_a_narrow_terminal_a_long_title_can_be_read_whole(
    width: int, with_wiki: bool, filters: dict[str, Filters]
) -> None:
    fields = {"title": LONG_TITLE, "user": "A name that is long", "length_change": -12_345, "is_new": True}
    change = a_change(**fields, patrolled=0, probabilities={"damaging": 0.712, "goodfaith": 0.3})

    header, *lines = printed(filters, change, width=width, with_wiki=with_wiki)
    first, end = header.index("title"), header.index("user")

    assert " ".join("".join(f"{line[first:end].strip()} " for line in lines).split()) == LONG_TITLE
    assert end - first >= 22
    assert {"N!", "-12,345", "0.712", "0.300"} <= set(" ".join(lines).split())


def test_on_a_wide_terminal_a_change_takes_one_line_and_has_bars(filters: dict[str, Filters]) -> None:
    _header, *lines = printed(filters, a_change(title=LONG_TITLE, probabilities={"damaging": 0.7}), width=110)

    assert len(lines) == 1
    assert "██████░░" in lines[0]


@pytest.mark.parametrize(
    ("fields", "letters"),
    [
        ({}, ""),
        ({"is_new": True}, "N"),
        ({"is_minor": True}, "m"),
        ({"is_bot": True}, "b"),
        ({"patrolled": 0}, "!"),
        ({"is_new": True, "is_minor": True, "is_bot": True, "patrolled": 0}, "Nmb!"),
        ({"patrolled": 2}, ""),
    ],
)
def test_flags_are_the_letters_of_mediawiki(fields: dict[str, Any], letters: str) -> None:
    assert flags(a_change(**fields)) == letters


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=1), "1 d"),
        (timedelta(days=400), "400 d"),
        (timedelta(seconds=-5), "0 s"),
    ],
)
def test_an_age_is_in_the_largest_whole_unit(ago: timedelta, text: str) -> None:
    assert age((NOW - ago).strftime("%Y%m%d%H%M%S"), NOW) == text


def cell(filters: Filters, change: Change, column: str) -> Text:
    table = changes_table([(filters, change)], NOW, width=200)
    (found,) = [each for each in table.columns if each.header == column]
    (only,) = found.cells
    assert isinstance(only, Text)
    return only


@pytest.mark.parametrize(
    ("model", "probability", "level"),
    [
        ("damaging", 0.1, "likelygood"),
        ("damaging", 0.149, "maybebad"),
        ("damaging", 0.629, "likelybad"),
        ("damaging", 0.944, "verylikelybad"),
        ("goodfaith", 0.9, "likelygood"),
        ("goodfaith", 0.647, "likelybad"),
    ],
)
def test_a_probability_has_the_colour_of_its_worst_level(
    model: str, probability: float, level: str, filters: dict[str, Filters]
) -> None:
    shown = cell(filters["enwiki"], a_change(probabilities={model: probability}), model)

    assert shown.spans[0].style == STYLES[level]


def test_a_probability_in_no_level_has_no_colour(filters: dict[str, Filters]) -> None:
    shown = cell(filters["enwiki"], a_change(probabilities={"goodfaith": 0.7}), "goodfaith")

    assert [span.style for span in shown.spans] == ["dim"]


def test_a_model_without_a_score_shows_a_dash(filters: dict[str, Filters]) -> None:
    assert cell(filters["enwiki"], a_change(), "damaging").plain == "–"


@pytest.mark.parametrize(("difference", "text"), [(None, ""), (0, "0"), (-1200, "-1,200"), (5, "+5")])
def test_a_size_change_has_its_sign(difference: int | None, text: str, filters: dict[str, Filters]) -> None:
    assert cell(filters["enwiki"], a_change(length_change=difference), "change").plain == text


def test_changes_of_several_wikis_name_theirs(filters: dict[str, Filters]) -> None:
    table = changes_table([(each, a_change()) for each in filters.values()], NOW, width=200, with_wiki=True)

    assert [str(each) for each in table.columns[0].cells] == ["enwiki", "frwiki"]


def test_no_changes_are_a_table_without_rows() -> None:
    assert changes_table([], NOW, width=200).row_count == 0
