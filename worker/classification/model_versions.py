"""Which version of a model is current on a wiki, kept in `ores_model`; never written into code."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from worker.classification.tables import ores_model
from worker.telemetry import log


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A version of a model and the number it has in `oresm_id`."""

    version: str
    id: int


#: Model name to its current version.
KnownModels = Mapping[str, KnownModel]


def current_models(session: Session) -> dict[str, KnownModel]:
    """Return the current version of every model this wiki has: one statement."""
    model = ores_model.c
    query = select(model.oresm_name, model.oresm_version, model.oresm_id).where(model.oresm_is_current == 1)
    return {row.oresm_name: KnownModel(row.oresm_version, row.oresm_id) for row in session.execute(query)}


def model_ids(session: Session, seen: Sequence[tuple[str, str]], known: KnownModels) -> dict[tuple[str, str], int]:
    """Return the `oresm_id` of each (name, version) in *seen*, which has one entry for each score; does not commit.

    *known* saves the statements where nothing has changed. Where it has, the version that most scores carry becomes the
    current one, and the others are not; a score always gets the id of its own version, so that no row is ever written
    under another's. A version is looked for first and inserted only if missing, since `oresm_id` is a SMALLINT and a
    failed insert burns one. Source of the upkeep by reply: mediawiki/extensions/ORES includes/ScoreFetcher.php
    @ e8804727, which writes the rows of that reply under the old id.
    """
    ids = {(name, model.version): model.id for name, model in known.items()}
    counts = Counter(seen)
    for name in sorted({name for name, version in counts if (name, version) not in ids}):
        versions = {version: count for (this, version), count in counts.items() if this == name}
        for version in sorted(versions):
            ids[name, version] = _find_or_add(session, name, version)
        winner = max(versions, key=lambda version: (versions[version], version))
        _make_current(session, name, ids[name, winner])
        log.info("model_version_changed", model=name, version=winner)
    return ids


def _find_or_add(session: Session, name: str, version: str) -> int:
    model = ores_model.c
    same = select(model.oresm_id).where(model.oresm_name == name, model.oresm_version == version)
    found: int | None = session.execute(same).scalar_one_or_none()
    if found is not None:
        return found
    new = insert(ores_model).values(oresm_name=name, oresm_version=version, oresm_is_current=0)
    try:
        with session.begin_nested():
            return int(session.execute(new.returning(model.oresm_id)).scalar_one())
    except IntegrityError:
        # Another worker saw it at the same moment, and was first.
        return int(session.execute(same).scalar_one())


def _make_current(session: Session, name: str, model_id: int) -> None:
    model = ores_model.c
    is_winner = model.oresm_id == model_id
    session.execute(update(ores_model).where(model.oresm_name == name, ~is_winner).values(oresm_is_current=0))
    session.execute(update(ores_model).where(is_winner).values(oresm_is_current=1))
