"""What beat asks for, of all wikis; each wiki's share of it is a task of its own."""

import time
from collections.abc import Callable
from datetime import timedelta

from outbox.inspection import has_work
from worker.app import app
from worker.bootstrap import services
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.flight.database_tier import tidy
from worker.lanes.rings import CHECK_MODEL_VERSIONS, EXPIRE_RECENT_CHANGES, POLL, PURGE_SCORES
from worker.scores.own_tables import BACKFILL
from worker.tasks.passing import is_passed_on
from worker.tasks.running import reported
from worker.upkeep.populating import populate
from worker.upkeep.purging import (
    expire_ledger,
    expire_recent_changes,
    outdated_versions,
    purge_left_behind,
    purge_versions,
)
from worker.upkeep.versions import check_model_versions, follow_up, resolve_formulas


@app.task(name=POLL)
def poll() -> None:
    """Ring for every wiki that has work which no doorbell announced, or none that was heard; tidy up."""
    here = services()
    for wiki in here.wikis.values():
        with reported(POLL, wiki.id), wiki.database.reading() as connection:
            for consumer in here.consumers.values():
                if has_work(connection, consumer.lane):
                    here.doorbell.turn(wiki.id, consumer.lane.name)
        with reported(POLL, wiki.id):
            tidy(wiki.database)


@app.task(name=CHECK_MODEL_VERSIONS)
def check_versions(wiki: str | None = None) -> None:
    """Look for new model versions; the rows of those that are current no more are purged by a task of their own."""
    _for_each_wiki(CHECK_MODEL_VERSIONS, wiki, _check)


@app.task(name=PURGE_SCORES)
def purge(wiki: str | None = None, after: str = "0") -> None:
    """Remove rows of old versions, and of revisions that have left recentchanges; these *after* that `oresc_id`."""
    _for_each_wiki(PURGE_SCORES, wiki, lambda each: _purge(each, int(after)))


@app.task(name=EXPIRE_RECENT_CHANGES)
def expire(wiki: str | None = None) -> None:
    """Let old changes leave recentchanges where the wiki is emulated; a MediaWiki does so itself."""
    _for_each_wiki(EXPIRE_RECENT_CHANGES, wiki, _expire)


def _for_each_wiki(task: str, wiki_id: str | None, work: Callable[[Wiki], None]) -> None:
    """Do *work* for that wiki; where none is named, ring for each, so that one that is slow holds up no other."""
    here = services()
    if wiki_id is None:
        for each in here.wikis:
            here.doorbell.ring(task, each)
        return
    if is_passed_on(wiki_id):
        return
    with reported(task, wiki_id):
        here.doorbell.answer(task, wiki_id)
        work(here.wiki(wiki_id))


def _check(wiki: Wiki) -> None:
    here = services()
    upkeep = here.settings.upkeep
    checks = here.runner.run(check_model_versions(wiki, here.client, upkeep))
    follow_up(wiki, checks, here.doorbell, rescore=upkeep.rescore)
    here.runner.run(resolve_formulas(wiki, here.client, upkeep))


def _purge(wiki: Wiki, after: int) -> None:
    upkeep, until = services().settings.upkeep, _end_of_time()
    size = upkeep.purge_batch_size
    rows = 0
    for version in purge_versions(wiki.database, outdated_versions(wiki.database), size):
        rows += version.rows
        if time.monotonic() > until:
            break
    for step in purge_left_behind(wiki, batch_size=size, after=after):
        rows += sum(each.rows for each in step.removed)
        if time.monotonic() > until:
            services().doorbell.ring(PURGE_SCORES, wiki.id, str(step.last))
            break
    if rows:
        log.info("scores_purged", wiki=wiki.id, rows=rows)
    if upkeep.rescore:
        _promise_missing(wiki, until)


def _expire(wiki: Wiki) -> None:
    changes, until, settings = 0, _end_of_time(), services().settings
    for changes_gone, _ in expire_recent_changes(wiki, settings.upkeep):
        changes += changes_gone
        if time.monotonic() > until:
            services().doorbell.ring(EXPIRE_RECENT_CHANGES, wiki.id)
            break
    age = timedelta(days=settings.events.ledger_days)
    for _ in expire_ledger(wiki.database, age, batch_size=settings.upkeep.purge_batch_size):
        if time.monotonic() > until:
            break
    if changes:
        log.info("recent_changes_expired", wiki=wiki.id, changes=changes)


def _promise_missing(wiki: Wiki, until: float) -> None:
    """Promise what a rescoring did not come to, or what was stored late under an old version."""
    with wiki.database.reading() as connection:
        if has_work(connection, BACKFILL):
            return
    promised = 0
    for step in populate(wiki):
        promised += step.promised
        if time.monotonic() > until:
            break
    if promised:
        log.info("scores_promised", wiki=wiki.id, edits=promised)
        services().doorbell.turn(wiki.id, BACKFILL.name)


def _end_of_time() -> float:
    """When a task that began now has to make room for others, in monotonic seconds."""
    return time.monotonic() + services().settings.drain_seconds
