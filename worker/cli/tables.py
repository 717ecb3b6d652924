"""Tables as all commands print them: text aligned left, numbers right, no lines between."""

from collections.abc import Collection, Iterable, Mapping

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from worker.cli.output import spelled
from worker.domain.visible import visible


def table(
    columns: Iterable[str | Column],
    rows: Iterable[Iterable[object]],
    *,
    numbers: Collection[str] = (),
    title: str | None = None,
    is_tight: bool = False,
) -> Table:
    """A table with a header; *numbers* names the columns that are aligned on the right, and None is shown as a dash.

    If the terminal is too narrow, columns given by name are wrapped, so that nothing of them is lost.
    """
    laid_out = [
        Column(each, justify="right" if each in numbers else "left", overflow="fold") if isinstance(each, str) else each
        for each in columns
    ]
    made = Table(*laid_out, title=title, title_justify="left", title_style="bold", box=None, header_style="bold")
    made.padding = (0, 1, 0, 0) if is_tight else (0, 1)
    for row in rows:
        made.add_row(*(_shown(cell) for cell in row))
    return made


def with_errors(made: Table, errors: Mapping[str, str]) -> Group:
    """*made* with a row below it for each wiki's error, over the whole width, since sentences are long."""
    below = Table(Column(no_wrap=True), Column(overflow="fold"), box=None, show_header=False)
    for wiki, sentence in errors.items():
        below.add_row(from_elsewhere(wiki), from_elsewhere(sentence.removeprefix(f"{wiki}: "), "red"))
    return Group(*([made] if made.row_count or not errors else []), *([below] if errors else []))


def from_elsewhere(text: str, style: str = "", *, on_one_line: bool = False) -> Text:
    """A cell with text from elsewhere: it is no markup, and can't control the terminal; *on_one_line* may cut it."""
    text = spelled(visible(text))
    return Text(text, style, no_wrap=True, overflow="ellipsis") if on_one_line else Text(text, style)


def _shown(cell: object) -> Text:
    return cell if isinstance(cell, Text) else from_elsewhere("–" if cell is None else str(cell))


def summary(rows: Iterable[tuple[int | str, str | Text]], *, title: str | None = None) -> Table:
    """A number and what it counts on each line; a text that begins with a blank is a dimmed part of the line above."""
    numbers, texts = Column(justify="right", style="bold cyan"), Column()
    made = Table(numbers, texts, title=title, title_justify="left", title_style="bold", box=None, show_header=False)
    for number, text in rows:
        shown = f"{number:,}" if isinstance(number, int) else number
        made.add_row(_shown(shown), _shown(text), style="dim" if str(text).startswith(" ") else None)
    return made


def seconds_shown(seconds: float) -> str:
    """Seconds, or minutes if there are ten or more of them."""
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
