"""The figures that README shows: kept as JSON in `docs/`, and drawn from it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.plot import Group, Series, bars

NAME = "speed"
TITLE = "Edits a second, until the last of them is announced"
SERIES = (Series("ours", "Outpatrol"), Series("others", "one Celery task an edit"))


def publish(document: Mapping[str, Any], directory: Path) -> None:
    """Write *document* and its picture into *directory*, as `speed.json` and `speed.svg`."""
    (directory / f"{NAME}.json").write_text(json.dumps(document, indent=2) + "\n")
    (directory / f"{NAME}.svg").write_text(drawn(document))


def drawn(document: Mapping[str, Any]) -> str:
    """The picture of a document of `benchmarks.report.as_document`: our edits/s beside the baseline's. Pure."""
    machine = document["machine"]
    unit = f"edits/s; {machine['cores']} cores, Python {machine['python']}"
    return bars(TITLE, unit, SERIES, [_group(name, column) for name, column in document["columns"].items()])


def _group(name: str, column: Mapping[str, Any]) -> Group:
    kind, _, latency = name.rpartition("-")
    rates = [column[who]["edits_per_second"] for who in ("outpatrol", "baseline")]
    return Group(f"{kind}, {latency} ms", rates, f"× {column['ratio']:.1f}")
