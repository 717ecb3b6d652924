"""Looks at model versions, the passing of time between them, and what is known after them."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import func, select, text, update

from outbox.columns import database_now
from outbox.database import Database
from tests.patience import until
from worker.bootstrap import Services
from worker.scores.candidates import Finding
from worker.scores.model_versions import StoredModel, all_models, model_ids
from worker.scores.own_tables import model_candidate
from worker.scores.rows import Classification
from worker.scores.store import store
from worker.scores.tables import ores_classification, ores_model
from worker.upkeep.versions import ModelCheck, check_model_versions

OLD, NEW = "0.5.1", "0.6.0"


def look(services: Services, *, dry_run: bool = False) -> dict[str, ModelCheck]:
    """Look once at all models of enwiki."""
    checks = services.runner.run(
        check_model_versions(services.wiki("enwiki"), services.client, services.settings.upkeep, dry_run=dry_run)
    )
    return {check.model: check for check in checks}


def findings(services: Services) -> dict[str, Finding]:
    return {model: check.finding for model, check in look(services).items()}


def let_pass(database: Database, seconds: float) -> None:
    """Let every candidate have been one for so much longer."""
    since = model_candidate.c.since
    with database.transaction() as session:
        (moment,) = session.execute(select(since)).scalars().all()
        session.execute(update(model_candidate).values(since=moment - timedelta(seconds=seconds)))


def let_settle(database: Database) -> None:
    """Let every candidate be one since long ago."""
    with database.transaction() as session:
        session.execute(update(model_candidate).values(since=database_now(timedelta(days=-1))))


def waiting(database: Database) -> dict[str, str]:
    """The candidates: model to version."""
    with database.reading() as connection:
        return {row.model: row.version for row in connection.execute(select(model_candidate))}


def stored_models(database: Database) -> list[StoredModel]:
    return database.run(all_models)


def current_versions(database: Database) -> list[tuple[str, str]]:
    """Every (model, version) that is called current."""
    return [(model.name, model.version) for model in stored_models(database) if model.is_current]


def id_of(database: Database, name: str, version: str) -> int:
    """The number of that version, which is added if it is not there, as a reply would."""
    return database.run(lambda session: model_ids(session, [(name, version)], {}))[name, version]


def classify(database: Database, revisions: Collection[int], name: str = "damaging", version: str = OLD) -> None:
    """Write a row for each of *revisions*, of the true class of that version."""
    model = id_of(database, name, version)
    rows = [Classification(revision, model, 1, 0.5, is_predicted=True) for revision in revisions]
    database.run(lambda session: store(session, rows))


def rows_of_versions(database: Database) -> Counter[tuple[str, str]]:
    """How many rows there are of each (model, version)."""
    query = select(ores_model.c.oresm_name, ores_model.c.oresm_version, func.count()).join_from(
        ores_classification, ores_model, ores_model.c.oresm_id == ores_classification.c.oresc_model
    )
    with database.reading() as connection:
        counts = connection.execute(query.group_by(ores_model.c.oresm_name, ores_model.c.oresm_version))
        return Counter({(name, version): count for name, version, count in counts})


def gaps(ids: Sequence[int]) -> set[int]:
    """Numbers between the least and the greatest of *ids* that none of them is."""
    return set(range(min(ids), max(ids) + 1)) - set(ids)


def wait_for_a_lock(database: Database) -> None:
    """Until a transaction on that MariaDB waits for another one."""
    # The tables of information_schema are renewed only for who has not looked for a while.
    waits = text("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")

    def somebody_waits() -> bool:
        with database.reading() as connection:
            return bool(int(connection.execute(waits).one()[1]))

    until(somebody_waits, "somebody who waits for a lock")
