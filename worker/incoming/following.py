"""Following recentchanges of a wiki that exists, by id, where no trigger can be made: new edits are promised.

An edit is found once MediaWiki has written its change, in a transaction of its own after the edit's; one whose change
is never written is not found (`outpatrol reconcile` finds it). Ids are given before the COMMIT, so a smaller one can
come after a greater one: the ids between those that were seen are looked for again for a while.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, and_, cast, exists, or_, select

from outbox import EDITS
from outbox.columns import database_now
from outbox.mediawiki.revisions import EDIT_SOURCES
from outbox.mediawiki.schema import mediawiki_timestamp, moment_of, recentchanges
from outbox.recording import record_payloads
from outbox.saved_revisions import SavedRevision
from worker.domain.json_text import to_json
from worker.incoming.positions import forget_positions, locked_position, position, remember, stream_position

#: What positions call recentchanges, and the ids there that were left out so far.
SOURCE, GAPS = "recentchanges", "recentchanges gaps"
#: Changes that are read at once.
MOST = 2000
#: Seconds for which a missing id is looked for. Most belong to transactions that were rolled back, or, on a cluster, to
#: other members (`auto_increment_increment`).
MISSING_SECONDS = 120
#: Changes among which ids that are missing at the beginning are looked for.
LOOKED_BACK = 200
#: Gaps in one statement.
GAPS_AT_ONCE = 200
#: A change with a greater id and a timestamp so many seconds before the newest one is no new one: MediaWiki's
#: maintenance/rebuildrecentchanges.php writes those of all revisions anew.
REBUILT_SECONDS = 3600

change = recentchanges.c


@dataclass(frozen=True, slots=True)
class Gap:
    """Ids that are missing, the first and the last of them, and since when: seconds since 1970."""

    first: int
    last: int
    since: int


@dataclass(frozen=True, slots=True)
class Reached:
    """How far recentchanges was read. Pure."""

    #: All ids up to this one were seen, except for those in *gaps*.
    last: int
    #: The newest timestamp among them, as it is written there.
    newest: str
    gaps: tuple[Gap, ...] = ()

    def after(self, found: Iterable[int], newest: str, now: int) -> "Reached":
        """What is reached once the ids *found* were seen as well, and the timestamp *newest* among them."""
        ids = sorted(set(found))
        old = (part for gap in self.gaps if now - gap.since <= MISSING_SECONDS for part in _without(gap, ids))
        fresh = [self.last, *(each for each in ids if each > self.last)]
        new = (Gap(low + 1, high - 1, now) for low, high in pairwise(fresh) if high - low > 1)
        return Reached(fresh[-1], max(self.newest, newest), (*old, *new))

    @property
    def text(self) -> str:
        """How a position is kept: as a number of which the rest can be cut off."""
        return f"{self.last}@{self.newest}"

    @property
    def text_of_gaps(self) -> str:
        return to_json([[gap.first, gap.last, gap.since] for gap in self.gaps])

    @classmethod
    def of(cls, text: str, gaps: str | None) -> "Reached":
        last, _, newest = text.partition("@")
        return cls(int(last), newest, tuple(Gap(*map(int, gap)) for gap in json.loads(gaps or "[]")))


def _without(gap: Gap, ids: Sequence[int]) -> Iterator[Gap]:
    """What is left of *gap* if *ids*, in their order, are taken out of it."""
    inside = [each for each in ids if gap.first <= each <= gap.last]
    for low, high in pairwise([gap.first - 1, *inside, gap.last + 1]):
        if high - low > 1:
            yield Gap(low + 1, high - 1, gap.since)


def has_news() -> ColumnElement[bool]:
    """Whether a wiki that is followed has changes to be read, or ids that are missing: a question of the poll."""
    here = stream_position.c
    newer = select(1).where(here.source == SOURCE, change.rc_id > cast(here.event_id, BigInteger))
    return or_(exists(newer), exists(select(1).where(here.source == GAPS)))


def is_followed(connection: Connection) -> bool:
    """Whether `begin_following` was called for this wiki."""
    return position(connection, SOURCE) is not None


def begin_following(connection: Connection) -> bool:
    """Promise what comes from now on; False if that was so before. Does not commit."""
    if is_followed(connection):
        return False
    rows, now = _newest(connection, LOOKED_BACK), database_seconds(connection)
    # What is missing among them may be on its way.
    start = Reached(rows[-1].rc_id - 1 if rows else 0, "")
    _remember(connection, start.after([row.rc_id for row in rows], _newest_timestamp(rows, now), now))
    return True


def end_following(connection: Connection) -> bool:
    """Promise nothing any more; False if it was so before. Does not commit."""
    was_followed = is_followed(connection)
    forget_positions(connection, SOURCE, GAPS)
    return was_followed


def promise_new(connection: Connection, wiki: str) -> int:
    """Promise the edits that recentchanges of *wiki* has got since the last time; returns how many changes were read.

    As long as it returns `MOST` there are more. What is promised, and how far was read, is one transaction, and two
    that call this at once promise nothing twice. Does not commit.
    """
    text = locked_position(connection, SOURCE)
    if text is None:
        return 0
    reached, now = Reached.of(text, position(connection, GAPS)), database_seconds(connection)
    rows = _new(connection, reached)
    if not rows and (again := _numbered_anew(connection, reached)):
        rows, reached = again, Reached(again[0].rc_id - 1, reached.newest)
    rows += _missing(connection, reached)
    if rows or reached.gaps:
        _promise(connection, wiki, rows, reached, now)
        then = reached.after([row.rc_id for row in rows], _newest_timestamp(rows, now), now)
        _remember(connection, then)
    return len(rows)


def database_seconds(connection: Connection) -> int:
    """Seconds since 1970 by the database's clock, which is the same for whoever polls."""
    now: datetime = connection.execute(select(database_now())).scalar_one()
    return int(now.replace(tzinfo=UTC).timestamp())


def _remember(connection: Connection, reached: Reached) -> None:
    remember(connection, SOURCE, reached.text)
    if reached.gaps:
        remember(connection, GAPS, reached.text_of_gaps)
    else:
        forget_positions(connection, GAPS)


def _newest_timestamp(rows: Sequence[Row[Any]], now: int) -> str:
    """None of the future: one that a wrong clock gave would make all that comes after it look rebuilt."""
    newest = max((row.rc_timestamp for row in rows), default="")
    return min(newest, mediawiki_timestamp(datetime.fromtimestamp(now, UTC)))


def _promise(connection: Connection, wiki: str, rows: Sequence[Row[Any]], reached: Reached, now: int) -> None:
    oldest = _seconds(reached.newest, 0) - REBUILT_SECONDS
    saved = (
        (row.rc_this_oldid, min(now, _seconds(row.rc_timestamp, now)))
        for row in rows
        if row.rc_source in EDIT_SOURCES and row.rc_this_oldid
    )
    record_payloads(
        connection,
        EDITS,
        [
            SavedRevision(wiki=wiki, revision=revision, saved_at=datetime.fromtimestamp(at, UTC)).model_dump_json()
            for revision, at in saved
            if at >= oldest
        ],
    )


def _new(connection: Connection, reached: Reached) -> list[Row[Any]]:
    return _read(connection, change.rc_id > reached.last, MOST)


def _missing(connection: Connection, reached: Reached) -> list[Row[Any]]:
    return [
        row
        for start in range(0, len(reached.gaps), GAPS_AT_ONCE)
        for row in _read(
            connection,
            or_(*(change.rc_id.between(gap.first, gap.last) for gap in reached.gaps[start : start + GAPS_AT_ONCE])),
            None,
        )
    ]


def _numbered_anew(connection: Connection, reached: Reached) -> list[Row[Any]]:
    """Later changes with smaller ids: TRUNCATE TABLE and a restored dump begin with the first number again."""
    if any(row.rc_id >= reached.last for row in _newest(connection, 1)):
        return []
    return _read(connection, and_(change.rc_timestamp > reached.newest, change.rc_id <= reached.last), MOST)


def _read(connection: Connection, which: ColumnElement[bool], most: int | None) -> list[Row[Any]]:
    wanted = (change.rc_id, change.rc_timestamp, change.rc_source, change.rc_this_oldid)
    return list(connection.execute(select(*wanted).where(which).order_by(change.rc_id).limit(most)))


def _newest(connection: Connection, count: int) -> list[Row[Any]]:
    """The changes with the greatest ids, the greatest first."""
    newest = select(change.rc_id, change.rc_timestamp).order_by(change.rc_id.desc()).limit(count)
    return list(connection.execute(newest))


def _seconds(timestamp: str, otherwise: int) -> int:
    """Seconds since 1970, or *otherwise* for what is no time."""
    try:
        return int(moment_of(timestamp).timestamp())
    except ValueError:
        return otherwise
