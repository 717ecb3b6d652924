"""Replaying recorded edits: lines of EventStreams' events, saved on the emulated wikis as if they were made now.

A line that is not an edit is left out and reported by its number.
"""

import codecs
import gzip
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from outbox.database import Database
from outbox.edits import Edit
from outbox.page_changes import Promised
from worker.config.autopatrolled_groups import usual_groups
from worker.incoming.edits import GroupsOf, NotAnEdit, promised_of
from worker.incoming.saving import Fate, is_of_an_edit, save_alone, save_or_promise

#: At most this many lines are reported one by one; all are counted.
MOST_REPORTS = 20


@dataclass(slots=True)
class ReplayReport:
    """What became of the lines of one file."""

    saved: Counter[str] = field(default_factory=Counter)
    #: Edits that were only promised, on wikis that are not emulated.
    promised: Counter[str] = field(default_factory=Counter)
    #: Deletes, moves and the like; promised, and on emulated wikis also done.
    page_changes: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    #: A sentence for each of the first lines that were left out, with the line's number.
    complaints: list[str] = field(default_factory=list)

    @property
    def edits(self) -> int:
        return self.saved.total() + self.promised.total()

    def complain(self, number: int, kind: str, sentence: str) -> None:
        self.left_out[kind] += 1
        if len(self.complaints) < MOST_REPORTS:
            self.complaints.append(f"line {number}: {sentence}")


def edits_in(
    lines: Iterator[bytes],
    report: ReplayReport,
    *,
    wikis: Collection[str],
    groups_of: GroupsOf = usual_groups,
    limit: int | None = None,
) -> Iterator[Promised]:
    """The edits of *wikis* in *lines*, at most *limit*; other lines are counted in *report*."""
    taken = 0
    for number, line in enumerate(lines, start=1):
        if limit is not None and taken >= limit:
            return
        if not line.strip():
            continue
        try:
            edit = promised_of(line, groups_of=groups_of)
        except NotAnEdit as error:
            report.complain(number, error.kind, str(error))
            continue
        if edit.wiki not in wikis:
            hint = f"{edit.wiki} is not among the wikis to replay; add [wikis.{edit.wiki}] to the settings"
            report.complain(number, "unknown wiki", hint)
            continue
        taken += isinstance(edit, Edit)
        yield edit


def replay(
    edits: Iterator[Promised],
    databases: Mapping[str, Database],
    report: ReplayReport,
    *,
    rate: float | None = None,
    saved: Callable[[Promised], None] = lambda _: None,
) -> None:
    """Save each of *edits* on its wiki in a transaction of its own, at most *rate* a second; call *saved* after each.

    An edit that an emulated wiki has already is left out, so that a file can be replayed again after an interruption.
    On a wiki that is not emulated nothing is saved: every edit is promised, even a second time, which is harmless.
    """
    started = time.monotonic()
    for number, edit in enumerate(edits):
        if rate:
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
        fate = _save(databases[edit.wiki], edit)
        kept = {"saved": report.saved, "promised": report.promised, "page changes": report.page_changes}.get(fate)
        if kept is not None:
            kept[edit.wiki] += 1
            saved(edit)
        else:
            report.left_out[fate] += 1


def _save(database: Database, edit: Promised) -> Fate:
    try:
        return database.run(partial(save_or_promise, edit=edit))
    except DBAPIError as error:
        if not is_of_an_edit(error):
            raise
        return save_alone(database, edit)


@contextmanager
def lines_of(file: str | Path) -> Iterator[Iterator[bytes]]:
    """The lines of an NDJSON file, compressed if its name ends in `.gz`; `-` is standard input.

    Raises:
        OSError: the file can't be read, or is not what its name says.
        UnicodeError: it is not in UTF-8; no line of it is used.
    """
    if str(file) == "-":
        yield _in_utf8(sys.stdin.buffer)
    elif str(file).endswith(".gz"):
        with gzip.open(file, "rb") as compressed:
            yield _in_utf8(compressed)
    else:
        with Path(file).open("rb") as plain:
            yield _in_utf8(plain)


def _in_utf8(lines: Iterable[bytes]) -> Iterator[bytes]:
    """*lines*, if the first shows that they are in UTF-8; a byte order mark is left out."""
    rest = iter(lines)
    first = next(rest, b"")
    # No line of JSON in UTF-8 holds a NUL; each one in UTF-16 or UTF-32 does.
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in first:
        raise UnicodeError("it is in UTF-16 or UTF-32; convert it to UTF-8")
    return chain([first.removeprefix(codecs.BOM_UTF8)], rest)
