"""Whether a plan only reads what it has to: by ranges and keys, with no sorting of more than a page. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

#: A row of EXPLAIN, as MariaDB names its columns.
PlanRow = Mapping[str, Any]

BY_KEY = {"range", "ref", "eq_ref"}
#: One row at most, read while the plan is made.
ONE_ROW = {"const", "system"}
#: The index by which a score is found, and the ends of the names that scores are joined by.
SCORES, SCORE_NAMES = "oresc_rev_model_class", ("_score", "_cls")


def faults(plan: Sequence[PlanRow]) -> list[str]:
    """Sentences about what *plan* should not do; none if it is good."""
    return [fault for row in _reads(plan) for fault in _faults(row)]


def as_chain(plan: Sequence[PlanRow]) -> str:
    """What is read by which key, in that order, on a line for people to read; what is derived comes first."""
    reads = [row for row in _reads(plan) if row["table"][0] != "<"]
    derived = [row for row in reads if row["select_type"] == "DERIVED"]
    rest = [row for row in reads if row["select_type"] != "DERIVED"]
    return " → ".join(f"{row['table']} {row['type']} {row['key']}" for row in [*derived, *rest])


def _reads(plan: Sequence[PlanRow]) -> list[PlanRow]:
    return [row for row in plan if row["table"] is not None and row["type"] not in ONE_ROW]


def _faults(row: PlanRow) -> list[str]:
    table, access, key, extra = row["table"], row["type"], row["key"], row["Extra"] or ""
    if table.startswith("<derived"):
        # The rows of one page, which are found already.
        return []
    found = []
    if access not in BY_KEY:
        found.append(f"{table} is read whole ({access} {key})")
    if "filesort" in extra or "temporary" in extra:
        found.append(f"{table} is sorted ({extra})")
    if table.endswith(SCORE_NAMES) and key != SCORES:
        found.append(f"{table} is read by {key}, not by {SCORES}")
    return found
