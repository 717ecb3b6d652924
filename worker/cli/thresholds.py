"""`outpatrol thresholds`: what each level of the filters means now."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from worker.cli.console import (
    command_services,
    documents_of_errors,
    end_with,
    on_each,
    print_json,
    print_table,
    wikis_named,
)
from worker.cli.options import JsonOption, WikiOption
from worker.cli.tables import table
from worker.domain.thresholds import Threshold
from worker.scores.filtering import Filters, Level, filters_of

NOT_RESOLVED = "not resolved yet; run: outpatrol models check"
NOTHING_MATCHES = "no probability matches; set a number"


def thresholds(
    wiki: WikiOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the probabilities of each level: as set, and as they are with the current model version.

    Example: `outpatrol thresholds --wiki enwiki`
    """
    with command_services() as services:
        found, errors = on_each(wikis_named(services, wiki), filters_of)
    if as_json:
        print_json({name: _document(filters) for name, filters in found.items()} | documents_of_errors(errors))
    else:
        print_table(_table(found.values()), errors)
    end_with(errors)


def _levels(filters: Filters) -> dict[str, dict[str, Level]]:
    """The levels of the models that the wiki is scored with."""
    return {model: dict(levels) for model, levels in filters.levels.items() if model in filters.wiki.models}


def _document(filters: Filters) -> dict[str, Any]:
    return {
        model: {
            "version": filters.versions.get(model),
            "levels": {
                name: {
                    "setting": level.threshold.model_dump(),
                    "min": level.band and level.band.low,
                    "max": level.band and level.band.high,
                    "problem": _problem(level),
                }
                for name, level in levels.items()
            },
        }
        for model, levels in _levels(filters).items()
    }


def _problem(level: Level) -> str | None:
    if level.band:
        return None
    return NOTHING_MATCHES if level.is_resolved else NOT_RESOLVED


def _table(found: Iterable[Filters]) -> Table:
    rows = [
        (filters.wiki.id, model, filters.versions.get(model, "none yet"), name, *_shown(level))
        for filters in found
        for model, levels in _levels(filters).items()
        for name, level in levels.items()
    ]
    return table(("wiki", "model", "version", "level", "min", "max", "as set"), rows)


def _shown(level: Level) -> tuple[str | Text | None, ...]:
    ends = (f"{level.band.low:g}", f"{level.band.high:g}") if level.band else (None, None)
    problem = _problem(level)
    problem_shown = (f" ({problem})" if problem else "", "red")
    return (*ends, Text.assemble(_as_written(level.threshold), problem_shown))


def _as_written(threshold: Threshold) -> str:
    ends = {"min": threshold.min, "max": threshold.max}
    return ", ".join(f"{end} {value if isinstance(value, str) else f'{value:g}'}" for end, value in ends.items())
