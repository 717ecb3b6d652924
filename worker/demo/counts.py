"""The results of a run, counted in its tables, event files and the logs of the endpoint and the worker."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Select, case, distinct, func, select

from outbox import EDITS, PatrolStatus
from outbox.inspection import inspect_lane
from outbox.mediawiki.schema import recentchanges
from worker.bootstrap import Services
from worker.domain.errors import CommandFailed
from worker.events.file_sink import FILE
from worker.scores.tables import ores_classification

REASONS = {"autopatrolled": "saved by a trusted user", "bot": "saved by a bot", "no_score": "no score to store"}


@dataclass(slots=True, kw_only=True)
class RunCounts:
    """The sums over all wikis of one run."""

    edits: int = 0
    events: int = 0
    distinct_event_ids: int = 0
    edits_stored: int = 0
    edits_not_stored: int = 0
    #: How many edits were not stored for each reason, a key of `REASONS`.
    not_stored_because: dict[str, int] = field(default_factory=dict)
    classification_rows: int = 0
    scoring_calls: int = 0
    #: Scores that the endpoint computed, and scores that were found without asking it.
    scores: int = 0
    scores_shared: int = 0
    dead_letters: int = 0


def count(services: Services, events: Path, scoring_url: str, worker_log: Path) -> RunCounts:
    """Count everything, from the beginning.

    Raises:
        CommandFailed: the scoring endpoint does not answer.
    """
    counts = RunCounts()
    reasons: Counter[str] = Counter()
    for wiki in services.wikis.values():
        with wiki.database.reading() as connection:
            counts.edits += connection.execute(select(func.count()).select_from(recentchanges)).scalar_one()
            stored, rows = connection.execute(
                select(func.count(distinct(ores_classification.c.oresc_rev)), func.count())
            ).one()
            counts.edits_stored += stored
            counts.classification_rows += rows
            reasons.update({row.reason: row.edits for row in connection.execute(_unstored_by_reason())})
            counts.dead_letters += sum(inspect_lane(connection, lane).dead for lane in (EDITS, FILE.lane))
    counts.not_stored_because = dict(reasons)
    counts.edits_not_stored = reasons.total()
    ids = [event["meta"]["id"] for file in sorted(events.glob("*.ndjson")) for event in json_lines(file)]
    counts.events, counts.distinct_event_ids = len(ids), len(set(ids))
    summary = endpoint_summary(scoring_url)
    counts.scoring_calls, counts.scores = summary["calls"], summary["scores"]
    counts.scores_shared = sum(line["shared"] for line in json_lines(worker_log) if "shared" in line)
    return counts


def endpoint_summary(scoring_url: str) -> dict[str, Any]:
    """What the emulated endpoint counted.

    Raises:
        CommandFailed: it does not answer.
    """
    try:
        summary: dict[str, Any] = httpx.get(f"{scoring_url}/_emulator/summary", timeout=10, trust_env=False).json()
    except (httpx.HTTPError, ValueError) as error:
        raise CommandFailed(f"the emulated endpoint at {scoring_url} does not answer: {error}") from error
    return summary


def json_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of *file*, one in each line; other lines, such as a program's banner, are left out."""
    if not file.exists():
        return
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                document = json.loads(line)
            except ValueError:
                continue
            if isinstance(document, dict):
                yield document


def _unstored_by_reason() -> Select[tuple[str, int]]:
    change = recentchanges.c
    reason = case(
        (change.rc_patrolled == PatrolStatus.AUTOPATROLLED.value, "autopatrolled"),
        (change.rc_bot == 1, "bot"),
        else_="no_score",
    ).label("reason")
    stored = select(ores_classification.c.oresc_rev)
    return select(reason, func.count().label("edits")).where(change.rc_this_oldid.not_in(stored)).group_by(reason)
