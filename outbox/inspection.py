"""What is in a lane, by derived state. Reads only."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, case, exists, func, or_, select
from sqlalchemy.orm import Session

from outbox.columns import database_now
from outbox.tables import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStatus:
    """Counts by state. `oldest_age_seconds` is the age of the oldest promise not kept yet; None without one."""

    lane: str
    ready: int
    claimed: int
    waiting: int
    dead: int
    oldest_age_seconds: float | None

    @property
    def pending(self) -> int:
        """Promises still to be kept; dead letters are not among them."""
        return self.ready + self.claimed + self.waiting


def inspect_lane(session: Session | Connection, lane: Lane) -> LaneStatus:
    """Count the messages of *lane* by state. Abandoned messages count as ready.

    One statement, so that a message that moves from one table to another at this moment is counted once.
    """
    messages, waiting = lane.messages, lane.waiting
    is_ready = or_(messages.c.leased_until.is_(None), messages.c.leased_until < database_now())
    ready, total, oldest, now, waits, oldest_waiting, dead = session.execute(
        select(
            func.coalesce(func.sum(case((is_ready, 1), else_=0)), 0),
            func.count(),
            func.min(messages.c.recorded_at),
            database_now(),
            select(func.count()).select_from(waiting).scalar_subquery(),
            select(func.min(waiting.c.recorded_at)).scalar_subquery(),
            select(func.count()).select_from(lane.dead_letters).scalar_subquery(),
        ).select_from(messages)
    ).one()
    oldest_of_all = min((moment for moment in (oldest, oldest_waiting) if moment is not None), default=None)
    return LaneStatus(
        lane=lane.name,
        ready=int(ready),
        claimed=total - int(ready),
        waiting=waits,
        dead=dead,
        oldest_age_seconds=None if oldest_of_all is None else max(0.0, (now - oldest_of_all).total_seconds()),
    )


def work_of(lane: Lane) -> ColumnElement[bool]:
    """Whether a claim made now would find something. Cheap: looks for the first row only."""
    messages, waiting = lane.messages, lane.waiting
    is_ready = or_(messages.c.leased_until.is_(None), messages.c.leased_until < database_now())
    return or_(
        exists(select(messages.c.id).where(is_ready)),
        exists(select(waiting.c.id).where(waiting.c.due_at <= database_now())),
    )


def has_work(session: Session | Connection, lane: Lane) -> bool:
    """Whether a claim made now would find something."""
    return bool(session.execute(select(work_of(lane))).scalar_one())
