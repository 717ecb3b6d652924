"""Which version of a model is current on a wiki, kept in `ores_model`; never written into code."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, insert, select, update
from sqlalchemy.exc import IntegrityError

from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.flight.documents import KeepsVersions
from worker.scores.tables import ores_model


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A version of a model and the number it has in `oresm_id`."""

    version: str
    id: int


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One row of `ores_model`."""

    id: int
    name: str
    version: str
    is_current: bool


#: Model name to its current version.
KnownModels = Mapping[str, KnownModel]

#: What `oresc_model` holds.
MOST_MODELS = 2**15 - 1

# Made once: every turn asks it.
_CURRENT = select(ores_model.c.oresm_name, ores_model.c.oresm_version, ores_model.c.oresm_id).where(
    ores_model.c.oresm_is_current == 1
)


def current_models(connection: Connection) -> dict[str, KnownModel]:
    """Return the current version of every model this wiki has: one statement."""
    return {row.oresm_name: KnownModel(row.oresm_version, row.oresm_id) for row in connection.execute(_CURRENT)}


def keep_known_versions(wiki: Wiki, known: KnownModels, documents: KeepsVersions, *, even_none: bool) -> bool:
    """Keep the current versions in *known* for readers without a database; returns whether every model has one.

    If no model has one, that is kept only if *even_none*.
    """
    versions = {name: model.version for name, model in known.items()}
    are_all = versions.keys() >= {name for name, model in wiki.models.items() if model.enabled}
    if versions or even_none:
        documents.keep_versions(wiki.id, versions, are_all=are_all)
    return are_all


def model_ids(
    connection: Connection, seen: Sequence[tuple[str, str]], known: KnownModels
) -> dict[tuple[str, str], int]:
    """Return the `oresm_id` of each (name, version) in *seen*, which has one entry for each score; does not commit.

    *known* saves the statements if nothing has changed. A score always gets the id of its own version, so no row is
    ever written under another's; Extension:ORES writes the rows of the first reply with a new version under the old
    version's id. If a model has no current version, the one that most scores carry becomes current; whether a further
    one does is decided in `worker.upkeep`, not by one reply. A version is looked up first and inserted only if missing,
    since `oresm_id` is a SMALLINT and a failed insert uses one up. A version whose number is too high gets no id:
    `oresc_model` is signed and holds no more than 32,767.
    Source: mediawiki/extensions/ORES includes/ScoreFetcher.php @ e8804727.
    """
    ids = {(name, model.version): model.id for name, model in known.items()}
    counts = Counter(seen)
    for name in sorted({name for name, version in counts if (name, version) not in ids}):
        versions = {version: count for (this, version), count in counts.items() if this == name}
        for version in sorted(versions):
            ids[name, version] = _find_or_add(connection, name, version)
        if name not in known and not _has_current(connection, name):
            winner = max(versions, key=lambda version: (versions[version], version))
            make_current(connection, name, winner)
    return {version: model_id for version, model_id in ids.items() if model_id <= MOST_MODELS}


def make_current(connection: Connection, name: str, version: str) -> None:
    """Make *version* the current one of model *name* and all others not, in one statement; does not commit."""
    model = ores_model.c
    _find_or_add(connection, name, version)
    is_winner = case((model.oresm_version == version, 1), else_=0)
    connection.execute(update(ores_model).where(model.oresm_name == name).values(oresm_is_current=is_winner))
    log.info("model_version_changed", model=name, version=version)


def leave_current_alone(connection: Connection, name: str, version: str) -> None:
    """Make sure that only *version* of model *name* is current; Extension:ORES can leave two. Does not commit."""
    model = ores_model.c
    others = (model.oresm_name == name, model.oresm_version != version, model.oresm_is_current == 1)
    if connection.execute(select(model.oresm_id).where(*others).limit(1)).first() is not None:
        connection.execute(update(ores_model).where(*others).values(oresm_is_current=0))


def all_models(connection: Connection) -> list[StoredModel]:
    """Every version of every model this wiki ever had, by name and id."""
    model = ores_model.c
    query = select(model.oresm_id, model.oresm_name, model.oresm_version, model.oresm_is_current)
    return [
        StoredModel(row.oresm_id, row.oresm_name, row.oresm_version, bool(row.oresm_is_current))
        for row in connection.execute(query.order_by(model.oresm_name, model.oresm_id))
    ]


def _has_current(connection: Connection, name: str) -> bool:
    model = ores_model.c
    query = select(model.oresm_id).where(model.oresm_name == name, model.oresm_is_current == 1)
    return connection.execute(query.limit(1)).first() is not None


def _find_or_add(connection: Connection, name: str, version: str) -> int:
    model = ores_model.c
    same = select(model.oresm_id).where(model.oresm_name == name, model.oresm_version == version)
    found: int | None = connection.execute(same).scalar_one_or_none()
    if found is None:
        # Wait for others who add it at this moment, since an insert that fails uses up an id.
        connection.execute(select(model.oresm_id).where(model.oresm_name == name).with_for_update())
        found = connection.execute(same).scalar_one_or_none()
    if found is not None:
        return found
    new = insert(ores_model).values(oresm_name=name, oresm_version=version, oresm_is_current=0)
    try:
        with connection.begin_nested():
            return int(connection.execute(new.returning(model.oresm_id)).scalar_one())
    except IntegrityError:
        # Another worker saw it at the same moment and was first; as long as the model has no row, there is none to
        # lock.
        return int(connection.execute(same).scalar_one())
