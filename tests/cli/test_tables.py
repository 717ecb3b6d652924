"""Tables of commands: no part of a cell is lost on a narrow terminal, and the text of a cell is not taken as markup."""

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from worker.cli.tables import seconds_shown, summary, table


def printed(shown: Table, width: int = 80) -> list[str]:
    """The lines of the table without the blanks at their ends."""
    text = StringIO()
    Console(file=text, width=width).print(shown)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_text_stands_on_the_left_and_numbers_on_the_right() -> None:
    shown = table(("wiki", "rows"), [("enwiki", 7), ("frwiki", 1234)], numbers={"rows"})

    assert printed(shown) == [" wiki    rows", " enwiki     7", " frwiki  1234"]


def test_what_is_not_known_is_a_dash() -> None:
    assert printed(table(("wiki", "id"), [("enwiki", None)])) == [" wiki    id", " enwiki  –"]


def test_a_narrow_terminal_folds_a_cell_and_loses_nothing_of_it() -> None:
    lines = printed(table(("lane",), [("event_outbox_eventgate",)]), width=14)

    assert "".join(line.strip() for line in lines[1:]) == "event_outbox_eventgate"


def test_a_column_may_bring_its_own_layout() -> None:
    lines = printed(table((Column("title", overflow="ellipsis", no_wrap=True),), [("A long title",)]), width=8)

    assert lines[1] == " A lon…"


def test_text_that_looks_like_markup_is_printed_as_it_is_where_it_comes_as_text() -> None:
    assert printed(table(("title",), [(Text("[red]"),)]))[1] == " [red]"


def test_a_summary_groups_the_digits_of_its_numbers() -> None:
    assert printed(summary([(1234567, "edits"), ("3.5 s", "in all")])) == [" 1,234,567  edits", "     3.5 s  in all"]


@pytest.mark.parametrize(("seconds", "expected"), [(0, "0 s"), (599.4, "599 s"), (600, "10 min"), (5400, "90 min")])
def test_a_long_time_is_shown_in_minutes(seconds: float, expected: str) -> None:
    assert seconds_shown(seconds) == expected
