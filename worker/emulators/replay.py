"""Replaying recorded edits: lines of EventStreams' `recentchange`, saved on the emulated wikis as if made just now.

A line that is no edit is left out and reported by its number; the rest goes on.
"""

import gzip
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from outbox.database import Database
from outbox.edits import Edit, EditSource, PatrolStatus
from outbox.mediawiki import has_revision, save_edit

KINDS = {"edit": EditSource.EDIT, "new": EditSource.NEW}
#: Reports of single lines stop here; the counts go on.
MOST_REPORTS = 20


class NotAnEdit(ValueError):
    """A line holds no edit we could replay; `kind` is the word it is counted under."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(slots=True)
class ReplayReport:
    """What became of the lines of one file."""

    saved: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    #: The first few, each with its line number.
    complaints: list[str] = field(default_factory=list)

    @property
    def edits(self) -> int:
        return self.saved.total()

    def complain(self, number: int, kind: str, sentence: str) -> None:
        self.left_out[kind] += 1
        if len(self.complaints) < MOST_REPORTS:
            self.complaints.append(f"line {number}: {sentence}")


def edit_of(line: str | bytes) -> Edit:
    """Read one `mediawiki/recentchange` 1.x event.

    `patrolled: true` at save time means autopatrolled; its absence means that the wiki does not patrol such edits.
    Without `namespace` the title is taken whole, as MediaWiki takes a title whose prefix it does not know.

    Raises:
        NotAnEdit: not JSON, a canary, another kind of change, or fields that are missing or absurd.
    """
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotAnEdit("not JSON", f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise NotAnEdit("not an event", "not a JSON object")
    if isinstance(meta := event.get("meta"), dict) and meta.get("domain") == "canary":
        raise NotAnEdit("canary", "a canary event, sent to watch the stream")
    if not isinstance(kind := event.get("type"), str) or kind not in KINDS:
        raise NotAnEdit("not an edit", f"a change of type {kind!r}, not an edit")
    try:
        return Edit.model_validate(_fields(event))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise NotAnEdit(f"wrong {place}", f"{place}: {first['msg']}") from error


def edits_in(
    lines: Iterator[bytes], report: ReplayReport, *, wikis: Collection[str], limit: int | None = None
) -> Iterator[Edit]:
    """The edits in *lines* that are of *wikis*, at most *limit*; what is left out goes into *report*."""
    taken = 0
    for number, line in enumerate(lines, start=1):
        if limit is not None and taken >= limit:
            return
        if not line.strip():
            continue
        try:
            edit = edit_of(line)
        except NotAnEdit as error:
            report.complain(number, error.kind, str(error))
            continue
        if edit.wiki not in wikis:
            hint = f"{edit.wiki} is not among the wikis to replay; add [wikis.{edit.wiki}] to the settings"
            report.complain(number, "unknown wiki", hint)
            continue
        taken += 1
        yield edit


def replay(
    edits: Iterator[Edit],
    databases: Mapping[str, Database],
    report: ReplayReport,
    *,
    rate: float | None = None,
    saved: Callable[[Edit], None] = lambda _: None,
) -> None:
    """Save each of *edits* on its wiki in a transaction of its own, at most *rate* a second; call *saved* after each.

    An edit that the wiki has already is left out, so that a file can be replayed again after an interruption.
    """
    started = time.monotonic()
    for number, edit in enumerate(edits):
        if rate:
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
        if _save(databases[edit.wiki], edit):
            report.saved[edit.wiki] += 1
            saved(edit)
        else:
            report.left_out["saved before"] += 1


def _save(database: Database, edit: Edit) -> bool:
    """Save *edit*; returns False where the wiki has its revision already."""
    try:
        database.run(lambda session: save_edit(session, edit))
    except IntegrityError:
        if database.run(lambda session: has_revision(session, edit.revision)):
            return False
        # Somebody else saved the same user or page for the first time at this moment; it is there now.
        database.run(lambda session: save_edit(session, edit))
    return True


@contextmanager
def lines_of(file: str | Path) -> Iterator[Iterator[bytes]]:
    """The lines of an NDJSON file, compressed if its name ends in `.gz`; `-` is standard input.

    Raises:
        OSError: the file can't be read, or is not what its name says.
    """
    if str(file) == "-":
        yield iter(sys.stdin.buffer)
    elif str(file).endswith(".gz"):
        with gzip.open(file, "rb") as compressed:
            yield iter(compressed)
    else:
        with Path(file).open("rb") as plain:
            yield iter(plain)


def _fields(event: dict[str, Any]) -> dict[str, Any]:
    revision = event.get("revision")
    revision = revision if isinstance(revision, dict) else {}
    length = event.get("length")
    length = length if isinstance(length, dict) else {}
    meta = event.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    return {
        "wiki": event.get("wiki"),
        "revision": revision.get("new"),
        "parent_revision": revision.get("old") or 0,
        "change": event.get("id"),
        "page": event.get("page_id") or _page_of(event),
        "namespace": event.get("namespace", 0),
        "title": event.get("title"),
        "timestamp": _moment(event.get("timestamp")),
        "source": KINDS[event["type"]],
        "user": event.get("user"),
        "is_bot": event.get("bot", False),
        "is_minor": event.get("minor", False),
        "is_anonymous": event.get("anonymous", False),
        "patrol_status": PatrolStatus.AUTOPATROLLED if event.get("patrolled") else PatrolStatus.UNPATROLLED,
        "length": length.get("new"),
        "parent_length": length.get("old"),
        "request_id": meta.get("request_id"),
    }


def _moment(timestamp: object) -> datetime | object:
    """Seconds since 1970 as a moment; anything else is left for the validation to refuse."""
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _page_of(event: dict[str, Any]) -> int | None:
    """EventStreams gives no page id; a number made of the title serves the emulated wiki as well."""
    title = event.get("title")
    if not isinstance(title, str):
        return None
    digest = 0
    for byte in f"{event.get('namespace', 0)}:{title}".encode(errors="replace"):
        digest = (digest * 31 + byte) % 2_000_000_011
    return digest + 1
