"""When a new version of a model becomes the current one: not at its first reply, and never back and forth.

While an endpoint's replicas run mixed versions, replies carry both. A version becomes current when, for a settable
time, most replies of every look carried it; until then it is a candidate, kept in `model_candidate`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select

from outbox.columns import database_now
from worker.scores.model_versions import leave_current_alone, make_current
from worker.scores.own_tables import model_candidate
from worker.scores.tables import ores_model


class Finding(StrEnum):
    """The result of a look at a model's versions."""

    UNCHANGED = "unchanged"
    #: Most replies carry another version than the current one, but not for long enough yet.
    WAITING = "waiting"
    CHANGED = "changed"
    #: No version has enough of the replies.
    MIXED = "mixed"
    #: The endpoint has no version of the model: it is gone, or was never there.
    NOT_TOLD = "not told"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that most replies have carried for so many seconds."""

    version: str
    seconds: float


def judge_versions(
    current: str | None,
    candidate: Candidate | None,
    seen: Mapping[str, int],
    *,
    settle_seconds: float,
    majority: float,
) -> tuple[Finding, str | None]:
    """Judge the versions *seen*, with the number of replies that carried each. Pure.

    Returns the finding, and the version that it is about if one has the *majority* (a share, 1 for all).
    """
    if not seen:
        return Finding.NOT_TOLD, None
    version = max(seen, key=lambda version: (seen[version], version))
    if seen[version] / sum(seen.values()) < majority:
        return Finding.MIXED, None
    if version == current:
        return Finding.UNCHANGED, version
    since = candidate.seconds if candidate is not None and candidate.version == version else 0.0
    if current is None or since >= settle_seconds:
        return Finding.CHANGED, version
    return Finding.WAITING, version


def candidates(connection: Connection) -> dict[str, Candidate]:
    """The candidates by model, their ages by the database's clock: one statement."""
    rows = connection.execute(select(model_candidate, database_now().label("now")))
    return {row.model: Candidate(row.version, (row.now - row.since).total_seconds()) for row in rows}


def lock_models(connection: Connection, models: Collection[str]) -> None:
    """Let nobody else change which versions of *models* are current until this transaction ends."""
    rows = select(ores_model.c.oresm_id).where(ores_model.c.oresm_name.in_(sorted(models)))
    connection.execute(rows.order_by(ores_model.c.oresm_id).with_for_update())


def apply(connection: Connection, model: str, finding: Finding, version: str | None, before: Candidate | None) -> None:
    """Store what `judge_versions` found for *model*, whose candidate was *before*; does not commit."""
    if finding is Finding.NOT_TOLD or (finding is Finding.WAITING and before and before.version == version):
        return
    if before is not None:
        connection.execute(delete(model_candidate).where(model_candidate.c.model == model))
    if finding is Finding.WAITING:
        connection.execute(insert(model_candidate).values(model=model, version=version))
    elif finding is Finding.CHANGED and version is not None:
        make_current(connection, model, version)
    elif finding is Finding.UNCHANGED and version is not None:
        leave_current_alone(connection, model, version)
