"""`outpatrol thresholds`: what each level of the filters means now."""

from typing import Any

from rich.table import Table

from worker.cli.console import command_services, out, print_json
from worker.cli.options import JsonOption, WikiOption
from worker.domain.thresholds import Threshold
from worker.scores.filtering import Filters, Level, filters_of

NOT_RESOLVED = "not resolved: call outpatrol models check"
NOTHING_MATCHES = "no probability matches: set a number"


def thresholds(
    wiki: WikiOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which probabilities each level means: as it is set, and as it comes to with the current model version.

    Example: `outpatrol thresholds --wiki enwiki`
    """
    with command_services() as services:
        found = [filters_of(services.wiki(name)) for name in wiki or sorted(services.wikis)]
    if as_json:
        print_json({filters.wiki.id: _document(filters) for filters in found})
    else:
        out.print(_table(found))


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


def _table(found: list[Filters]) -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("wiki", "model", "version", "level", "min", "max", "as set"):
        table.add_column(name, overflow="fold")
    for filters in found:
        for model, levels in _levels(filters).items():
            version = filters.versions.get(model, "none yet")
            for name, level in levels.items():
                band, written = level.band, _as_written(level.threshold)
                ends = (f"{band.low:g}", f"{band.high:g}") if band else ("–", "–")
                problem = _problem(level)
                written += f" [red]({problem})[/]" if problem else ""
                table.add_row(filters.wiki.id, model, version, name, *ends, written)
    return table


def _as_written(threshold: Threshold) -> str:
    ends = {"min": threshold.min, "max": threshold.max}
    return ", ".join(f"{end} {value if isinstance(value, str) else f'{value:g}'}" for end, value in ends.items())
