"""RecentChanges filters: what an admin asks the tables."""

from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from outbox.mediawiki import actor, recentchanges, shown_title
from worker.classification.tables import ores_classification, ores_model

#: The lowest damaging probability of each level.
#: Source: mediawiki/extensions/ORES extension.json, OresFiltersThresholds @ e8804727.
DAMAGING_LEVELS = {"maybebad": 0.149, "likelybad": 0.629, "verylikelybad": 0.944}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row of RecentChanges with its damaging probability."""

    revision: int
    title: str
    user: str
    timestamp: str
    damaging: float


def likely_damaging(session: Session, *, level: str = "likelybad", limit: int = 50) -> list[Change]:
    """The newest unpatrolled edits whose damaging probability reaches *level*, at most *limit*, newest first.

    Inclusive, as on Special:RecentChanges. Source: mediawiki/extensions/ORES
    includes/Hooks/ChangesListHooksHandler.php @ e8804727.
    """
    return [
        Change(
            revision=row.rc_this_oldid,
            title=shown_title(row.rc_namespace, row.rc_title),
            user=row.actor_name,
            timestamp=row.rc_timestamp,
            damaging=float(row.oresc_probability),
        )
        for row in session.execute(_query(DAMAGING_LEVELS[level], limit))
    ]


def _query(lowest: float, limit: int) -> Select[tuple[int, int, str, str, str, float]]:
    change, score, model = recentchanges.c, ores_classification.c, ores_model.c
    current = select(model.oresm_id).where(model.oresm_name == "damaging", model.oresm_is_current == 1)
    return (
        select(
            change.rc_this_oldid,
            change.rc_namespace,
            change.rc_title,
            change.rc_timestamp,
            actor.c.actor_name,
            score.oresc_probability,
        )
        .join_from(recentchanges, ores_classification, score.oresc_rev == change.rc_this_oldid)
        .join(actor, actor.c.actor_id == change.rc_actor)
        .where(
            score.oresc_model == current.scalar_subquery(),
            score.oresc_class == 1,
            score.oresc_probability >= lowest,
            change.rc_patrolled == 0,
            change.rc_source.in_(["mw.edit", "mw.new"]),
        )
        .order_by(change.rc_timestamp.desc(), change.rc_id.desc())
        .limit(limit)
    )
