"""Removing what no reader sees, in short transactions: old versions, and revisions that have left recentchanges."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from outbox.database import Database
from outbox.mediawiki.reading import has_recent_changes
from outbox.mediawiki.saving import expire_changes, is_emulated
from worker.config.settings_sections import UpkeepSettings
from worker.config.wiki import Wiki
from worker.events.ledger import forget_before
from worker.scores.candidates import Candidate, candidates
from worker.scores.model_versions import StoredModel, all_models
from worker.scores.removal import (
    Step,
    count_rows,
    purge_of_model,
    purge_of_revisions,
    purge_step,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """One step of a purge: which version of which model, and how many rows were removed."""

    model: StoredModel
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """One step over all rows: how many were looked at, the last `oresc_id`, and how many were removed."""

    looked_at: int
    last: int
    removed: Sequence[Purged]


def doomed_versions(database: Database, names: Collection[str] = (), *, current_too: bool = False) -> list[StoredModel]:
    """The versions, of the models *names* or of all, that may be purged by hand.

    Without *current_too* these are the versions that are neither current nor a candidate; a candidate's rows belong to
    edits that were just saved.
    """
    models, coming = database.run(lambda connection: (all_models(connection), candidates(connection)))
    return [
        model
        for model in models
        if (not names or model.name in names) and (current_too or not (model.is_current or _is_coming(model, coming)))
    ]


def outdated_versions(database: Database) -> list[StoredModel]:
    """The versions that are purged by schedule: those older than the current one; a newer one may become current.

    A version that was rolled back counts as newer: its rows are removed with their changes, or when the next version
    is current.
    """
    current = {model.name: model.id for model in database.run(all_models) if model.is_current}
    return [model for model in doomed_versions(database) if model.id < current.get(model.name, model.id + 1)]


def _is_coming(model: StoredModel, coming: Mapping[str, Candidate]) -> bool:
    return model.name in coming and coming[model.name].version == model.version


def count_versions(database: Database, models: Collection[StoredModel]) -> dict[StoredModel, int]:
    """How many rows each of *models* has."""
    with database.reading() as connection:
        counts = count_rows(connection, [model.id for model in models])
    return {model: counts.get(model.id, 0) for model in models}


def purge_versions(database: Database, models: Collection[StoredModel], batch_size: int) -> Iterator[Purged]:
    """Remove all rows of *models*, *batch_size* in a transaction; yields each step. The caller may stop at any time."""
    for model in models:
        while rows := database.run(partial(purge_of_model, model=model.id, limit=batch_size)):
            yield Purged(model=model, rows=rows)


def purge_left_behind(
    wiki: Wiki, names: Collection[str] = (), *, batch_size: int, after: int = 0, dry_run: bool = False
) -> Iterator[LeftBehind]:
    """Remove rows of revisions that have left recentchanges, of the models *names* or of all.

    Begins *after* that `oresc_id` and yields each step of *batch_size* rows. The caller may stop at any time. Does
    nothing if the database has no recentchanges.
    """
    if not wiki.database.run(has_recent_changes):
        return
    models = {model.id: model for model in wiki.database.run(all_models)}
    kept_forever = [model.id for model in models.values() if _is_kept(wiki, model)]
    chosen = [model.id for model in models.values() if not names or model.name in names]

    def purge(connection: Connection, after: int) -> Step:
        return purge_step(connection, after, batch_size, kept_forever=kept_forever, models=chosen, dry_run=dry_run)

    while (step := wiki.database.run(partial(purge, after=after))).last is not None:
        after = step.last
        removed = [Purged(model=models[model_id], rows=rows) for model_id, rows in sorted(step.removed.items())]
        yield LeftBehind(looked_at=step.looked_at, last=step.last, removed=removed)


def expire_recent_changes(wiki: Wiki, upkeep: UpkeepSettings) -> Iterator[tuple[int, int]]:
    """Remove changes that are too old from recentchanges, and their rows, except those kept forever.

    Yields for each transaction how many changes and rows were removed. Does nothing on a wiki that is not emulated:
    MediaWiki does this itself.
    """
    if not wiki.database.run(is_emulated):
        return
    kept_forever = [model.id for model in wiki.database.run(all_models) if _is_kept(wiki, model)]
    before = datetime.now(UTC) - timedelta(days=upkeep.recent_changes_days)

    def expire(connection: Connection) -> tuple[int, int]:
        revisions = expire_changes(connection, before=before, limit=upkeep.purge_batch_size)
        return len(revisions), purge_of_revisions(connection, set(revisions), kept_forever=kept_forever)

    while (step := wiki.database.run(expire))[0]:
        yield step


def expire_ledger(database: Database, age: timedelta, *, batch_size: int) -> Iterator[int]:
    """Remove lines older than *age* from the ledger; yields how many, for each transaction."""
    forget = partial(forget_before, age=age, limit=batch_size)
    while lines := database.run(forget):
        yield lines


def _is_kept(wiki: Wiki, model: StoredModel) -> bool:
    # The settings of this wiki decide, since the rows are its own.
    return model.name in wiki.models and wiki.models[model.name].keep_forever
