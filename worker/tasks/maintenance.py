"""What beat asks for, of all wikis; each wiki's share of it is a task of its own."""

import time
from collections.abc import Callable

from outbox import BACKFILL, EDITS, EVENT_LANES
from outbox.inspection import has_work
from worker.app import (
    CHECK_MODEL_VERSIONS,
    DRAIN_BACKFILL,
    DRAIN_EDITS,
    EXPIRE_RECENT_CHANGES,
    EXPIRY_SECONDS,
    POLL,
    PUBLISH_EVENTS,
    PURGE_SCORES,
    app,
)
from worker.bootstrap import services
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.flight.database_tier import tidy
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
            if has_work(connection, EDITS):
                here.doorbell.ring(DRAIN_EDITS, wiki.id)
            for sink in wiki.sinks:
                if has_work(connection, EVENT_LANES[sink]):
                    here.doorbell.ring(PUBLISH_EVENTS, wiki.id, sink)
            if has_work(connection, BACKFILL):
                here.doorbell.ring(DRAIN_BACKFILL, wiki.id)
        with reported(POLL, wiki.id):
            tidy(wiki.database)


@app.task(name=CHECK_MODEL_VERSIONS)
def check_versions(wiki: str | None = None) -> None:
    """Look for new model versions; the rows of those that are current no more are purged by a task of their own."""
    _for_each_wiki(CHECK_MODEL_VERSIONS, wiki, _check)


@app.task(name=PURGE_SCORES)
def purge(wiki: str | None = None, after: int = 0) -> None:
    """Remove rows of old versions, and of revisions that have left recentchanges; these *after* that `oresc_id`."""
    _for_each_wiki(PURGE_SCORES, wiki, lambda each: _purge(each, after))


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
    with reported(task, wiki_id):
        here.doorbell.answer(task, wiki_id)
        work(here.wiki(wiki_id))


def _check(wiki: Wiki) -> None:
    here = services()
    checks = here.runner.run(check_model_versions(wiki))
    follow_up(wiki, checks, here.doorbell.ring)
    here.runner.run(resolve_formulas(wiki))


def _purge(wiki: Wiki, after: int) -> None:
    size, until = wiki.upkeep.purge_batch_size, _end_of_time()
    rows = 0
    for version in purge_versions(wiki.database, outdated_versions(wiki.database), size):
        rows += version.rows
        if time.monotonic() > until:
            break
    for step in purge_left_behind(wiki, batch_size=size, after=after):
        rows += sum(each.rows for each in step.removed)
        if time.monotonic() > until:
            purge.apply_async(args=(wiki.id, step.last), expires=EXPIRY_SECONDS)
            break
    if rows:
        log.info("scores_purged", wiki=wiki.id, rows=rows)
    if wiki.upkeep.rescore:
        _promise_missing(wiki, until)


def _expire(wiki: Wiki) -> None:
    changes, until = 0, _end_of_time()
    for changes_gone, _ in expire_recent_changes(wiki):
        changes += changes_gone
        if time.monotonic() > until:
            services().doorbell.ring(EXPIRE_RECENT_CHANGES, wiki.id)
            break
    for _ in expire_ledger(wiki):
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
        services().doorbell.ring(DRAIN_BACKFILL, wiki.id)


def _end_of_time() -> float:
    """When a task that began now has to make room for others, in monotonic seconds."""
    return time.monotonic() + services().settings.drain_seconds
