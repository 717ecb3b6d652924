"""Changes with their probabilities: a table for people, objects and rows for programs."""

import csv
import dataclasses
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from outbox.mediawiki.schema import moment_of
from worker.cli.output import spelled
from worker.cli.tables import from_elsewhere, table
from worker.scores.filtering import Filters
from worker.scores.filters import Change

BAR = 8
#: If the terminal has fewer columns, there are no bars and half of the gaps, and titles are wrapped.
WIDE = 110
NARROW_TITLE, NARROW_USER = 22, 8
#: A probability has the colour of the last of its levels.
STYLES = {
    "likelygood": "green",
    "maybebad": "yellow",
    "likelybad": "dark_orange",
    "verylikelybad": "bold red",
    "revertrisk": "bold red",
}
FIELDS = [field.name for field in dataclasses.fields(Change) if field.name != "probabilities"]
#: A spreadsheet runs text that begins with one of these as a formula.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def changes_table(
    found: Sequence[tuple[Filters, Change]],
    now: datetime,
    *,
    width: int,
    title: str | None = None,
    with_wiki: bool = False,
) -> Table:
    """A table of the changes for a terminal of that *width*; the filters of each wiki say what is highlighted."""
    is_wide = width >= WIDE
    models = list(dict.fromkeys(model for filters, _ in found for model in filters.columns))
    columns = [
        *(Column(name, no_wrap=True) for name in (["wiki", ""] if with_wiki else [""])),
        # These two are wrapped if the terminal is narrow; the others are of little use when cut.
        Column("title", overflow="ellipsis" if is_wide else "fold", min_width=None if is_wide else NARROW_TITLE),
        Column("user", overflow="ellipsis", min_width=None if is_wide else NARROW_USER),
        *(Column(name, justify="right", no_wrap=True) for name in ("age", "change")),
        *(Column(model, no_wrap=True) for model in models),
    ]
    rows = [
        (
            *([filters.wiki.id] if with_wiki else []),
            Text(flags(change), "bold"),
            from_elsewhere(change.title, on_one_line=is_wide),
            Text("(hidden)", "dim") if change.user is None else from_elsewhere(change.user, on_one_line=True),
            age(change.timestamp, now),
            _length_change(change.length_change),
            *(_probability(filters, model, change.probabilities.get(model), bar=is_wide) for model in models),
        )
        for filters, change in found
    ]
    return table(columns, rows, title=title, is_tight=not is_wide)


def flags(change: Change) -> str:
    """MediaWiki's own letters, in its order: new page, minor edit, bot, unpatrolled."""
    letters = {"N": change.is_new, "m": change.is_minor, "b": change.is_bot, "!": change.patrolled == 0}
    return "".join(letter for letter, is_meant in letters.items() if is_meant)


def age(timestamp: str, now: datetime) -> str:
    """How long ago that was, in the largest unit of which at least one has passed."""
    seconds = max(0, int((now - moment_of(timestamp)).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def change_document(filters: Filters, change: Change) -> dict[str, Any]:
    """Everything known about a change, with the levels to which each of its probabilities belongs."""
    levels = {model: filters.matching(model, probability) for model, probability in change.probabilities.items()}
    return dataclasses.asdict(change) | {"levels": levels}


def changes_csv(filters: Filters, changes: Iterable[Change]) -> str:
    """A header and a row for each change: its fields, then for each model the probability and its levels."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*FIELDS, *(name for model in filters.columns for name in (model, f"{model}_levels"))])
    for change in changes:
        row: list[Any] = [_cell(getattr(change, field)) for field in FIELDS]
        for model in filters.columns:
            probability = change.probabilities.get(model)
            levels = [] if probability is None else filters.matching(model, probability)
            row += [probability, " ".join(levels)]
        writer.writerow(row)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_SIGNS) else value


def _length_change(difference: int | None) -> Text:
    if difference is None:
        return Text("")
    return Text(f"{difference:+,}" if difference else "0", "green" if difference > 0 else "red" if difference else "")


def _probability(filters: Filters, model: str, probability: float | None, *, bar: bool) -> Text:
    if probability is None:
        return from_elsewhere("–", "dim")
    levels = filters.matching(model, probability)
    style = STYLES.get(levels[-1], "") if levels else ""
    filled = round(probability * BAR)
    if not bar:
        return Text(f"{probability:.3f}", style)
    full, rest = spelled("█" * filled), spelled("░" * (BAR - filled))
    return Text.assemble((f"{probability:.3f} {full}", style), (rest, "dim"))
