"""Thousands of page changes with random fields: each is kept, and says no more and no less than it was told."""

import json
import random
from collections import Counter
from typing import Any

import pytest

from outbox import Edit
from outbox.database import Database
from outbox.mediawiki.schema import revision
from outbox.page_changes import decode
from tests.examples import examples
from tests.worker.announcing.announcements import announced
from tests.worker.incoming.listeners import column
from tests.worker.incoming.random_events import SECRET, Event, broken, some_page_change
from worker.incoming.edits import NotAnEdit, promised_of
from worker.incoming.saving import save_alone, save_heard

EVENTS = examples(10_000)
SAVED = examples(1_000)


@pytest.mark.property
def test_thousands_of_page_changes_come_through_as_they_were_told() -> None:
    dice = random.Random(14)
    kinds: Counter[str] = Counter()
    for _ in range(EVENTS):
        event = some_page_change(dice)

        found = promised_of(json.dumps(event))

        kinds[event["page_change_kind"]] += 1
        assert decode(found.encode()) == found
        assert SECRET not in found.encode()
        assert "mw-private" not in found.encode()
        if isinstance(found, Edit):
            assert_told(found, event)
            announced(found)
        else:
            assert (found.kind, found.page) == (event["page_change_kind"], event["page"]["page_id"])

    assert min(kinds.values()) > EVENTS / 20


@pytest.mark.property
def test_thousands_of_broken_page_changes_are_kept_or_left_out_with_a_reason() -> None:
    dice = random.Random(15)
    found: Counter[str] = Counter()
    reasons: list[str] = []
    for _ in range(EVENTS):
        event = broken(dice, some_page_change(dice))
        try:
            promised = promised_of(json.dumps(event))
        except NotAnEdit as error:
            reasons.append(str(error))
            continue
        assert decode(promised.encode()) == promised
        found[type(promised).__name__] += 1

    assert min(len(reasons), found["Edit"], found["PageChange"]) > EVENTS / 20
    assert max(map(len, reasons)) < 300


@pytest.mark.property
def test_random_page_changes_are_all_kept_by_an_emulated_wiki(database: Database) -> None:
    dice = random.Random(16)
    fates: Counter[str] = Counter()
    edits: set[int] = set()
    while fates.total() < SAVED:
        batch = [promised_of(json.dumps(some_page_change(dice))) for _ in range(20)]
        edits |= {each.revision for each in batch if isinstance(each, Edit)}

        fates += Counter(save_heard(database, batch, "stream", "[]") or [save_alone(database, each) for each in batch])

    assert set(fates) <= {"saved", "saved before", "page changes"}
    assert column(database, revision, "rev_id") == sorted(edits)


def assert_told(edit: Edit, event: Event) -> None:
    """Each field of *edit* holds what *event* told, and None where it told nothing."""
    page, its, who = event["page"], event["revision"], event.get("performer") or {}
    is_hidden = not who or its.get("is_editor_visible") is False
    prior: dict[str, Any] = event.get("prior_state", {}).get("revision", {})
    details = edit.details.model_dump(mode="json", exclude_none=True) if edit.details else {}
    assert (edit.revision, edit.page, edit.length) == (its["rev_id"], page["page_id"], its.get("rev_size"))
    assert (edit.is_redirect, edit.is_new_page) == (page.get("is_redirect"), event["page_change_kind"] == "create")
    assert edit.is_minor is its.get("is_minor_edit", False)
    assert edit.user == (None if is_hidden else who["user_text"])
    pairs = {
        "user_id": "user_id", "user_edit_count": "edit_count", "user_central_id": "user_central_id",
        "user_is_system": "is_system", "user_wiki": "wiki_id", "is_temporary": "is_temp",
    }  # fmt: skip
    for ours, theirs in pairs.items():
        assert getattr(edit, ours) == (None if is_hidden else who.get(theirs)), ours
    assert edit.user_groups == (None if is_hidden or "groups" not in who else tuple(who["groups"]))
    assert details.get("comment") == (its.get("comment") if its.get("is_comment_visible") is not False else None)
    assert details.get("namespace_is_content") == page.get("namespace_is_content")
    assert ("redirect_link" in details) is ("redirect_page_link" in page)
    assert details.get("prior_revision", {}).get("revision") == prior.get("rev_id")
