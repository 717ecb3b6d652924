"""What a wiki hides later leaves the messages in which it stands, whatever has become of them."""

import json
from datetime import timedelta

import pytest

from outbox import EDITS, Dead, Edit, Outcome, RetryLater, record, record_payloads
from outbox.database import Database
from outbox.hiding import Hidden, hide_in
from tests.builders import an_edit
from tests.outbox.lanes import end, rows, take

EDITOR = frozenset({"is_editor_visible"})
SECRET, WHY = "Mallory", "a secret comment"
SUPPRESSED = an_edit(revision=7, page=70, user=SECRET, user_id=5, user_groups=["user"], details={"comment": WHY})


def hide(database: Database, hidden: Hidden, *, ours: str | None = None) -> int:
    return database.run(lambda session: hide_in(session, EDITS, hidden.numbers, hidden.in_edit, ours=ours))


def promise(database: Database, *edits: Edit) -> None:
    with database.transaction() as session:
        record(session, *edits)


def everything(database: Database) -> str:
    return str([rows(database, table) for table in (EDITS.messages, EDITS.waiting, EDITS.dead_letters)])


@pytest.mark.parametrize(
    "outcome", [None, RetryLater(timedelta(hours=1), "later"), Dead("refused", "no")], ids=["ready", "waiting", "dead"]
)
@pytest.mark.parametrize(
    ("switch", "gone", "left"),
    [("is_editor_visible", SECRET, WHY), ("is_comment_visible", WHY, SECRET)],
)
def test_what_is_hidden_leaves_a_message_wherever_it_is(
    database: Database, outcome: Outcome | None, switch: str, gone: str, left: str
) -> None:
    promise(database, SUPPRESSED)
    if outcome is not None:
        (claim,) = take(database)
        end(database, {claim: outcome})

    assert hide(database, Hidden(revision=7, switches=frozenset({switch}))) == 0

    assert gone not in everything(database)
    assert left in everything(database)


def test_the_message_is_still_an_edit_with_all_else_it_told(database: Database) -> None:
    promise(database, SUPPRESSED)

    hide(database, Hidden(revision=7, switches=EDITOR))

    (message,) = rows(database, EDITS.messages)
    expected = an_edit(revision=7, page=70, user=None, details={"comment": WHY, "is_editor_visible": False})
    assert Edit.decode(message["payload"]) == expected


def test_messages_of_other_revisions_are_left_as_they_are(database: Database) -> None:
    others = [an_edit(revision=revision, page=70, user="Alice") for revision in (70, 77, 17)]
    promise(database, *others)
    before = everything(database)

    hide(database, Hidden(revision=7, switches=EDITOR))

    assert everything(database) == before


def test_all_revisions_of_a_page_can_be_hidden(database: Database) -> None:
    promise(database, *(an_edit(revision=revision, page=70, user=SECRET) for revision in (1, 2)), an_edit(revision=3))

    hide(database, Hidden(page=70, switches=EDITOR))

    found = [Edit.decode(row["payload"]).user for row in rows(database, EDITS.messages)]
    assert found == [None, None, "Alice"]


def test_the_state_before_an_edit_hides_its_editor_too(database: Database) -> None:
    prior = {"revision": 7, "editor": {"name": SECRET}, "comment": WHY}
    promise(database, an_edit(revision=8, details={"prior_revision": prior}))

    hide(database, Hidden(revision=7, switches=EDITOR | {"is_comment_visible"}))

    assert SECRET not in everything(database)
    assert WHY not in everything(database)
    (message,) = rows(database, EDITS.messages)
    assert Edit.decode(message["payload"]).user == "Alice"


def test_who_has_claimed_a_message_is_told_and_can_not_put_back_what_it_held(database: Database) -> None:
    promise(database, SUPPRESSED)
    (claim,) = take(database)

    assert hide(database, Hidden(revision=7, switches=EDITOR)) == 1
    assert hide(database, Hidden(revision=7, switches=EDITOR)) == 1
    assert hide(database, Hidden(revision=7, switches=EDITOR), ours=claim.token) == 0

    end(database, {claim: RetryLater(timedelta(0), "later")})
    assert hide(database, Hidden(revision=7, switches=EDITOR)) == 0
    assert SECRET not in everything(database)


@pytest.mark.parametrize("is_hidden", [False, True])
def test_what_a_claimed_message_is_to_hold_later_is_what_it_holds_unless_something_was_hidden(
    database: Database, is_hidden: bool
) -> None:
    promise(database, SUPPRESSED)
    (claim,) = take(database)
    if is_hidden:
        hide(database, Hidden(revision=7, switches=EDITOR))

    changed = SUPPRESSED.model_copy(update={"announced": ("damaging",)}).encode()
    end(database, {claim: RetryLater(timedelta(0), "later", payload=changed)})

    (waiting,) = rows(database, EDITS.waiting)
    assert (SECRET in waiting["payload"], "damaging" in waiting["payload"]) == (not is_hidden, not is_hidden)


@pytest.mark.parametrize("broken", [{"timestamp": "noon"}, {"surprise": 1}, {"title": "half of a character: \ud83d"}])
def test_a_message_that_can_not_be_read_any_more_names_nobody_either(
    database: Database, broken: dict[str, object]
) -> None:
    payload = json.dumps(json.loads(SUPPRESSED.encode()) | broken)
    with database.transaction() as session:
        record_payloads(session, EDITS, [payload, "no JSON, 7"])

    hide(database, Hidden(revision=7, switches=EDITOR))

    assert SECRET not in everything(database)
    assert "no JSON, 7" in everything(database)
