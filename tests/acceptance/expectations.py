"""What a run must have left behind, whatever happened in it: computed from the edits and the endpoint's own formula."""

import functools
import gzip
import itertools
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from outbox import Edit
from outbox.inspection import inspect_lane
from outbox.mediawiki.schema import recentchanges
from tests.acceptance.running import Running
from tests.builders import an_edit
from tests.event_files import events_in
from worker.bootstrap import LANES
from worker.config.telemetry import REPEAT_SECONDS
from worker.demo.surroundings import SAMPLE
from worker.emulators.scoring.shapes import probabilities
from worker.incoming.edits import edit_of
from worker.scores.tables import ores_classification, ores_model

MODELS = ("damaging", "goodfaith")
#: (wiki, revision, model, class, probability in thousandths, predicted)
Row = tuple[str, int, str, int, int, bool]


def sample_edits(wiki: str, count: int) -> list[Edit]:
    """The newest *count* edits of *wiki* among the real ones that the repository carries."""
    edits = _sample(wiki)
    assert len(edits) >= count, f"the sample holds only {len(edits)} edits of {wiki}"
    return edits[-count:]


@functools.cache
def _sample(wiki: str) -> list[Edit]:
    with gzip.open(SAMPLE, "rb") as lines:
        return [edit for line in lines if (edit := edit_of(line)).wiki == wiki]


def edits_of_few_pages(wiki: str, count: int, *, first: int = 1, pages: int = 12) -> list[Edit]:
    """Edits that are settled in the order of their revisions, each page's among those of the others."""
    numbers = range(first, first + count)
    return [an_edit(wiki=wiki, revision=n, page=1 + n % pages, title=f"Page {1 + n % pages}") for n in numbers]


def is_for_patrollers(edit: Edit) -> bool:
    return edit.patrol_status != 2 and not edit.is_bot


def expected_rows(edits: Sequence[Edit]) -> set[Row]:
    """One row a model for each edit that patrollers must look at, with the probability that the endpoint gives."""
    rows = set()
    for edit in edits:
        if is_for_patrollers(edit):
            for model in MODELS:
                true = probabilities(0, edit.wiki, model, edit.revision)["true"]
                rows.add(
                    (edit.wiki, edit.revision, model, 1, min(999, int(f"{true:.3f}".replace(".", ""))), true >= 0.5)
                )
    return rows


def stored_rows(here: Running) -> list[Row]:
    rows: list[Row] = []
    classification, model = ores_classification.c, ores_model.c
    query = select(
        classification.oresc_rev,
        model.oresm_name,
        classification.oresc_class,
        classification.oresc_probability,
        classification.oresc_is_predicted,
    ).join_from(ores_classification, ores_model, model.oresm_id == classification.oresc_model)
    for wiki in here.services.wikis.values():
        with wiki.database.reading() as connection:
            rows += [
                (wiki.id, rev, name, number, round(probability * 1000), bool(predicted))
                for rev, name, number, probability, predicted in connection.execute(query)
            ]
    return rows


def events_of(directory: Path) -> list[dict[str, Any]]:
    """What the file sink has of the scores, in its order, in the *directory* of a test."""
    return events_in(directory / "events")


def taken_by_eventgate(here: Running) -> list[dict[str, Any]]:
    """What EventGate took in this test, in its order, with what one took that was killed since."""
    return [json.loads(line) for line in _lines(here.directory / "eventgate.ndjson")]


def announced(events: Sequence[dict[str, Any]]) -> dict[str, tuple[str, int]]:
    """Event id to the wiki and the revision it announces."""
    return {event["meta"]["id"]: (event["database"], event["rev_id"]) for event in events}


def assert_every_promise_was_kept(here: Running, edits: Sequence[Edit]) -> None:
    """Every edit saved, settled and announced under exactly one id; the rows are right; nothing is left or given up."""
    assert _saved(here) == len(edits)
    for wiki in here.services.wikis.values():
        with wiki.database.reading() as connection:
            for lane in LANES:
                status = inspect_lane(connection, lane)
                assert (status.pending, status.dead) == (0, 0), status
    rows = stored_rows(here)
    assert len(rows) == len(set(rows))
    assert set(rows) == expected_rows(edits)
    events = events_of(here.directory)
    assert_announced(events, edits)
    assert all(_carries_true_scores(event) for event in events)


def assert_announced(events: Sequence[dict[str, Any]], edits: Sequence[Edit]) -> None:
    """*events* announce all of *edits* and nothing else, each under one id, however often."""
    subjects = announced(events)
    assert len(subjects) == len(edits)
    assert set(subjects.values()) == {(edit.wiki, edit.revision) for edit in edits}


def assert_in_page_order(events: Sequence[dict[str, Any]]) -> None:
    """The events of each page arrived by revision; of one that came again, the first arrival counts."""
    firsts = {event["meta"]["id"]: event for event in reversed(events)}
    arrivals: dict[int, list[int]] = {}
    for event in events:
        if firsts.get(event["meta"]["id"]) is event:
            arrivals.setdefault(event["page_id"], []).append(event["rev_id"])
    assert all(revisions == sorted(revisions) for revisions in arrivals.values()), arrivals


def _carries_true_scores(event: dict[str, Any]) -> bool:
    """The scores are the endpoint's, for every model, and none failed."""
    in_event = {model: score["probability"] for model, score in event["scores"].items()}
    true = {model: probabilities(0, event["database"], model, event["rev_id"]) for model in MODELS}
    return in_event == true and "errors" not in event


def told_too_often(lines: Sequence[dict[str, Any]], *fields: str, processes: int = 1) -> list[dict[str, Any]]:
    """Those of *lines* that say in *fields* what was said less than a minute before, by more than the *processes*."""
    told: dict[tuple[str, ...], list[datetime]] = {}
    found = []
    for line in lines:
        at = datetime.fromisoformat(line["timestamp"])
        before = told.setdefault(tuple(str(line.get(field)) for field in fields), [])
        # A clock is not read at the same moment for the line and for the decision to write it.
        if sum((at - other).total_seconds() < REPEAT_SECONDS - 1 for other in before) >= processes:
            found.append(line)
        before.append(at)
    return found


def calls_by_score(here: Running) -> dict[tuple[str, str, int], int]:
    """How often the endpoint was asked for each score (wiki, model, revision)."""
    calls: dict[tuple[str, str, int], int] = {}
    for call in here.endpoint.calls():
        for model in call["models"]:
            for revision in call["revisions"]:
                key = (call["wiki"], model, revision)
                calls[key] = calls.get(key, 0) + 1
    return calls


def _saved(here: Running) -> int:
    saved = 0
    for wiki in here.services.wikis.values():
        with wiki.database.reading() as connection:
            saved += connection.execute(select(func.count()).select_from(recentchanges)).scalar_one()
    return saved


def _lines(file: Path) -> Iterator[str]:
    if file.exists():
        with file.open(encoding="utf-8") as lines:
            # The last one may be half written, and what would be read next is the rest of it.
            yield from itertools.takewhile(lambda line: line.endswith("\n"), lines)
