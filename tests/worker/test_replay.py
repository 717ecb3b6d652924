"""Recorded edits are saved as if made just now; a line without an edit is skipped and reported by its number."""

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from outbox import EDITS, Edit, EditSource, PatrolStatus
from outbox.database import Database
from outbox.mediawiki.schema import recentchanges, revision
from tests.builders import NOON
from tests.examples import examples
from tests.worker.incoming.stream_events import a_recent_change
from tests.worker.lines import count, status
from worker.incoming.edits import NotAnEdit, edit_of
from worker.incoming.replaying import MOST_REPORTS, ReplayReport, edits_in, lines_of, replay


def a_line(number: int = 1, **fields: Any) -> bytes:
    return json.dumps(a_recent_change(number, **fields)).encode() + b"\n"


def replayed(database: Database, lines: list[bytes], limit: int | None = None) -> ReplayReport:
    report = ReplayReport()
    replay(edits_in(iter(lines), report, wikis=["enwiki"], limit=limit), {"enwiki": database}, report)
    return report


def test_a_line_is_the_edit_it_tells_of() -> None:
    found = edit_of(a_line(7, bot=True, minor=True, anonymous=True, page_id=9))

    assert (found.revision, found.parent_revision, found.change, found.page) == (7, 500_007, 7, 9)
    assert (found.title, found.namespace, found.user, found.wiki) == ("Page 7", 0, "Alice", "enwiki")
    assert (found.is_bot, found.is_minor, found.is_anonymous, found.is_new_page) == (True, True, True, False)
    assert (found.length, found.parent_length, found.request_id) == (120, 100, "r7")
    assert found.timestamp.isoformat() == "2026-01-01T12:00:07+00:00"


def test_a_new_page_has_no_parent() -> None:
    found = edit_of(a_line(type="new", revision={"new": 7}))

    assert found.source is EditSource.NEW
    assert found.parent_revision == 0


@pytest.mark.parametrize(
    ("patrolled", "expected"),
    [(True, PatrolStatus.AUTOPATROLLED), (False, PatrolStatus.UNPATROLLED), (None, PatrolStatus.UNPATROLLED)],
)
def test_patrolled_at_save_time_means_autopatrolled(patrolled: bool | None, expected: PatrolStatus) -> None:
    assert edit_of(a_line(patrolled=patrolled)).patrol_status is expected


def test_no_page_id_is_known_where_none_was_told() -> None:
    assert edit_of(a_line(1)).page is None


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"9" * 5000, "not JSON"),
        (b"[]", "not an event"),
        (b'"edit"', "not an event"),
        (a_line(meta={"domain": "canary"}), "canary"),
        (a_line(type="log"), "not an edit"),
        (a_line(type="categorize"), "not an edit"),
        (a_line(type=["edit"]), "not an edit"),
        (a_line(type=None), "not an edit"),
        (a_line(revision=None), "wrong revision"),
        (a_line(revision=7), "wrong revision"),
        (a_line(revision={"new": "seven"}), "wrong revision"),
        (a_line(revision={"new": 2**32}), "wrong revision"),
        (a_line(revision={"new": 1, "old": -1}), "wrong parent_revision"),
        (a_line(timestamp=None), "wrong timestamp"),
        (a_line(timestamp="noon"), "wrong timestamp"),
        (a_line(timestamp=True), "wrong timestamp"),
        (a_line(timestamp=0), "wrong timestamp"),
        (a_line(timestamp=-1e30), "wrong timestamp"),
        (a_line(timestamp=float("nan")), "wrong timestamp"),
        (a_line(timestamp=int(NOON.timestamp()) * 1000), "wrong timestamp"),
        (a_line(timestamp=10_000_000_000), "wrong timestamp"),
        (a_line(title=None), "wrong title"),
        (a_line(title=""), "wrong title"),
        (a_line(title="\ud800"), "wrong title"),
        (a_line(title="x" * 301), "wrong title"),
        (a_line(namespace="Talk"), "wrong namespace"),
        (a_line(namespace=2**40), "wrong namespace"),
        (a_line(id=2**63), "wrong change"),
        (a_line(page_id=2**40), "wrong page"),
        (a_line(user="維" * 100), "wrong user"),
        (a_line(bot="perhaps"), "wrong is_bot"),
        (a_line(length={"new": 2**40}), "wrong length"),
        (a_line(wiki=None), "wrong wiki"),
        (a_line(wiki="../enwiki"), "wrong wiki"),
    ],
)
def test_a_line_that_holds_no_edit_is_counted_under_what_is_wrong(line: bytes, kind: str) -> None:
    with pytest.raises(NotAnEdit) as raised:
        edit_of(line)

    assert raised.value.kind == kind


@pytest.mark.parametrize("meta", [None, 7, "canary", [], {"domain": 7}])
def test_an_edit_does_not_need_its_meta(meta: object) -> None:
    assert edit_of(a_line(meta=meta)).request_id is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(300))
@given(st.dictionaries(st.sampled_from([*a_recent_change(), "page_id", "patrolled", "anonymous"]), JSON, max_size=4))
def test_no_event_however_odd_is_anything_but_an_edit_or_a_reason(odd: dict[str, Any]) -> None:
    try:
        found = edit_of(json.dumps(a_recent_change() | odd))
    except NotAnEdit:
        return
    assert isinstance(found, Edit)


@settings(max_examples=examples(200))
@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_no_line_however_odd_is_anything_but_a_reason(line: bytes) -> None:
    with pytest.raises(NotAnEdit):
        edit_of(line)


def test_bad_lines_are_told_by_their_numbers_and_the_rest_is_saved(database: Database) -> None:
    lines = [
        a_line(1),
        b"{\n",
        b"\n",
        a_line(4, type="log"),
        a_line(5, wiki="nowiki"),
        a_line(6),
        a_line(7, meta={"domain": "canary"}),
        a_line(8, timestamp=0),
    ]

    report = replayed(database, lines)

    assert report.saved == {"enwiki": 2}
    assert report.left_out == {
        "not JSON": 1,
        "not an edit": 1,
        "unknown wiki": 1,
        "canary": 1,
        "wrong timestamp": 1,
    }
    assert [complaint.split(":")[0] for complaint in report.complaints] == [
        "line 2",
        "line 4",
        "line 5",
        "line 7",
        "line 8",
    ]
    assert status(database, EDITS).ready == 2


def test_an_unknown_wiki_is_told_with_the_cure(database: Database) -> None:
    assert replayed(database, [a_line(wiki="nowiki")]).complaints == [
        "line 1: nowiki is not among the wikis to replay; add [wikis.nowiki] to the settings"
    ]


def test_complaints_end_after_a_while_and_counts_do_not(database: Database) -> None:
    report = replayed(database, [b"{\n"] * (MOST_REPORTS + 10))

    assert len(report.complaints) == MOST_REPORTS
    assert report.left_out.total() == MOST_REPORTS + 10


def test_the_largest_values_that_are_let_through_can_be_saved(database: Database) -> None:
    largest = {
        "id": 2**32 - 1,
        "page_id": 2**32 - 1,
        "namespace": 2**31 - 1,
        "title": "Talk:" + "維" * 85,
        "user": "維" * 85,
        "revision": {"new": 2**32 - 1, "old": 2**32 - 1},
        "length": {"new": 2**31 - 1, "old": 2**31 - 1},
    }

    assert replayed(database, [a_line(1, **largest)]).edits == 1


def test_replaying_again_saves_nothing_twice(database: Database) -> None:
    lines = [a_line(number) for number in range(1, 11)]
    replayed(database, lines[:6])

    report = replayed(database, lines)

    assert report.saved == {"enwiki": 4}
    assert report.left_out == {"saved before": 6}
    assert count(database, revision) == count(database, recentchanges) == 10
    assert status(database, EDITS).ready == 10


def test_an_edit_that_claims_the_change_of_another_is_left_out(database: Database) -> None:
    assert replayed(database, [a_line(1), a_line(2, id=1), a_line(3)]).left_out == {"contradicting": 1}


def test_no_more_edits_are_saved_than_asked_for(database: Database) -> None:
    report = replayed(database, [b"{\n", *(a_line(number) for number in range(1, 11))], limit=3)

    assert report.edits == 3


def test_later_edits_of_a_page_belong_to_the_same_page(database: Database) -> None:
    replayed(database, [a_line(number, title="One page") for number in range(1, 4)])

    with database.reading() as connection:
        pages = connection.execute(select(func.count(recentchanges.c.rc_cur_id.distinct()))).scalar_one()
    assert pages == 1


def test_each_edit_that_was_saved_is_announced(database: Database) -> None:
    announced: list[int | None] = []
    report = ReplayReport()
    edits = edits_in(iter([a_line(1), a_line(1), a_line(2)]), report, wikis=["enwiki"])

    replay(edits, {"enwiki": database}, report, saved=lambda edit: announced.append(edit.revision))

    assert announced == [1, 2]


def test_lines_come_from_a_file_a_compressed_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = a_line(1) + a_line(2)
    (tmp_path / "plain.ndjson").write_bytes(content)
    (tmp_path / "packed.ndjson.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    for source in (tmp_path / "plain.ndjson", str(tmp_path / "packed.ndjson.gz"), "-"):
        with lines_of(source) as lines:
            assert b"".join(lines) == content


def test_a_file_that_is_not_what_its_name_says_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "plain.ndjson.gz").write_bytes(a_line(1))

    with pytest.raises(OSError, match="Not a gzipped file"), lines_of(tmp_path / "plain.ndjson.gz") as lines:
        next(lines)
