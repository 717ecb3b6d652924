"""Our events beside those that others make of the same edit, field by field, as `docs/events.md` tells it."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from outbox.database import Database
from outbox.mediawiki.reading import recent_edits
from outbox.mediawiki.saving import save_edit
from tests.builders import a_score, a_score_error
from tests.worker.announcing.announcements import RISK, announced
from worker.domain.scores import Final
from worker.emulators.eventgate.validation import event_schemas
from worker.incoming.edits import edit_of

GOLDEN = sorted(Path(__file__).with_name("golden").glob("*.json"))
PAGE = Path(__file__).parents[3] / "docs/events.md"
MODEL = "revertrisklanguageagnostic"
PROBABILITY = {"true": 0.75, "false": 0.25}
#: The part of the page about each kind of event.
PARTS = {
    "scores": "## mediawiki/revision/score 3.0.0",
    "prediction": "## mediawiki/page/prediction_classification_change",
}
RECONCILED = "## What a reconciled event says"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT")


def table_under(heading: str) -> list[list[str]]:
    """The cells of the table there, its heads first."""
    _, _, part = PAGE.read_text().partition(heading)
    return [line.strip("| ").split(" | ") for line in part.partition("\n## ")[0].splitlines() if line.startswith("| ")]


def rows(kind: str) -> list[tuple[str, dict[str, str]]]:
    """Each field, which may end in an asterisk, and how ours and theirs compare, by the source."""
    table = table_under(PARTS[kind])
    heads = table[0]
    compared = {head: place for place, head in enumerate(heads) if head.startswith("of a ")}
    return [
        (field, {head.removeprefix("of a "): cells[place] for head, place in compared.items()})
        for cells in table[2:]
        for field in re.findall("`([^`]+)`", cells[0])
    ]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and not path.endswith(("probability", "probabilities")):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    else:
        is_moment = isinstance(value, str) and MOMENT.match(value)
        yield path, datetime.fromisoformat(value).astimezone(UTC) if is_moment else value


def relation(theirs: dict[str, Any], ours: dict[str, Any], field: str) -> str:
    if field not in theirs:
        return "ours"
    if field not in ours:
        return "theirs"
    return "same" if theirs[field] == ours[field] else "other"


def ours_of(golden: dict[str, Any], kind: str) -> dict[str, Any]:
    version = "3" if kind == "prediction" else "0.5.1"
    model = MODEL if kind == "prediction" else "damaging"
    answers: list[Final] = [a_score(model=model, version=version, prediction="true", probability=PROBABILITY)]
    if "errors" in (golden[kind] or {}):
        answers.append(a_score_error(type="TextDeleted", message="TextDeleted: gone"))
    settings: dict[str, Any] = {"prediction_streams": {MODEL: RISK}}
    if kind == "scores" and golden["source"]["$schema"].startswith("/mediawiki/page/change"):
        settings["stream_of_model"] = "mediawiki.revision_score_"
    events = announced(edit_of(json.dumps(golden["source"])), answers, domain="de.wikipedia.org", **settings)
    return events[-1]


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_each_field_is_like_theirs_or_differs_as_the_page_says(file: Path, kind: str) -> None:
    golden = json.loads(file.read_text())
    source = "recentchange" if file.stem == "recentchange" else "page change"
    if golden[kind] is None:
        # They make none of this source, or end with a KeyError.
        assert ours_of(golden, "scores")["rev_id"] == 1001
        return
    theirs, ours = dict(leaves(golden[kind])), dict(leaves(ours_of(golden, kind)))
    documented = rows(kind)

    differing = {}
    for field in theirs.keys() | ours.keys():
        expected = next(
            (words[source] for pattern, words in documented if fnmatchcase(field, pattern)), "not on the page"
        )
        found = relation(theirs, ours, field)
        if found != expected:
            differing[field] = (expected, found, theirs.get(field), ours.get(field))
    assert differing == {}


def test_a_reconciled_event_tells_what_the_page_says_of_what_the_first_told(database: Database) -> None:
    golden = json.loads(next(file for file in GOLDEN if file.stem == "page_change_1.6.0").read_text())
    edit = edit_of(json.dumps(golden["source"]))
    with database.transaction() as session:
        save_edit(session, edit)
    with database.reading() as connection:
        (again,), _ = recent_edits(connection, edit.wiki, limit=1)
    answers: list[Final] = [a_score()]
    (first,) = announced(edit, answers)

    (then,) = announced(again.model_copy(update={"is_reconciled": True}), answers, prediction_streams={"damaging": "p"})

    documented = [
        (field, cells[1]) for cells in table_under(RECONCILED)[2:] for field in re.findall("`([^`]+)`", cells[0])
    ]
    names = {"theirs": "first", "ours": "then"}
    before, after = dict(leaves(first)), dict(leaves(then))
    found = {field: relation(before, after, field) for field in before.keys() | after.keys()}
    assert {field: names.get(word, word) for field, word in found.items()} == {
        field: next((word for pattern, word in documented if fnmatchcase(field, pattern)), "not on the page")
        for field in found
    }


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_their_event_is_what_the_emulated_eventgate_takes(file: Path, kind: str) -> None:
    theirs = json.loads(file.read_text())[kind]
    assert theirs is None or event_schemas()[theirs["$schema"]].errors(theirs) == []


def test_there_is_a_golden_event_of_each_format() -> None:
    assert {file.stem.rpartition("_")[2] for file in GOLDEN} >= {
        "recentchange",
        "1.1.0",
        "1.3.0",
        "1.4.0",
        "1.5.0",
        "1.6.0",
    }
