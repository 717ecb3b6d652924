"""The tasks that beat sends, for all wikis; the work for each wiki is a task of its own."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache

from outbox.inspection import has_work
from worker.app import app, periods
from worker.bootstrap import services
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.lanes.rings import CHECK_MODEL_VERSIONS, EXPIRE_RECENT_CHANGES, POLL, POLL_SERVER, PURGE_SCORES
from worker.scores.own_tables import BACKFILL
from worker.tasks.passing import is_passed_on
from worker.tasks.running import ALL_WIKIS, log_error, reported
from worker.upkeep.attaching import not_attached
from worker.upkeep.polling import WikiPoll, groups
from worker.upkeep.populating import populate
from worker.upkeep.purging import (
    expire_ledger,
    expire_recent_changes,
    outdated_versions,
    purge_left_behind,
    purge_versions,
)
from worker.upkeep.versions import check_model_versions, follow_up, keep_versions, resolve_formulas

#: Upkeep has places of its own, a quarter of the threads, so that upkeep of all wikis at once leaves threads for edits.
PLACES = "upkeep"
NO_PLACE_SECONDS = 2.0
#: Seconds between the rings for two wikis, and the longest time over which all rings are spread.
APART_SECONDS = 0.2
SPREAD_SECONDS = 60.0


@app.task(name=POLL)
def poll() -> None:
    """Ring for the poll of every database server, one after the other."""
    with reported(POLL, ALL_WIKIS):
        here = services()
        names = groups(here.wikis)
        for number, name in enumerate(names):
            here.doorbell.ring(POLL_SERVER, name, after=here.settings.poll_seconds / 2 * number / len(names))


@app.task(name=POLL_SERVER)
def poll_server(name: str) -> None:
    """Ring for every wiki with work on that server; each wiki that can't be asked is logged."""
    with reported(POLL_SERVER, name):
        here = services()
        here.doorbell.answer(POLL_SERVER, name)
        databases = [wiki.database for wiki in groups(here.wikis).get(name, ())]
        for wiki, error in _wiki_poll().ring_for(databases, here.doorbell).failed.items():
            log_error(POLL, wiki, error)


@cache
def _wiki_poll() -> WikiPoll:
    here = services()
    followed = [wiki.id for wiki in here.wikis.values() if wiki.settings.is_followed]
    return WikiPoll([each.lane for each in here.consumers.values()], patient=[BACKFILL], followed=followed)


@app.task(name=CHECK_MODEL_VERSIONS)
def check_versions(wiki: str | None = None) -> None:
    """Look for new model versions, and whether an attached wiki still is; another task purges the rows of old ones."""
    _for_each_wiki(CHECK_MODEL_VERSIONS, wiki, _check)


@app.task(name=PURGE_SCORES)
def purge_scores(wiki: str | None = None, after: str = "0") -> None:
    """Remove rows of old versions, and, *after* that `oresc_id`, those of revisions that have left recentchanges."""
    rest = () if after == "0" else (after,)
    _for_each_wiki(PURGE_SCORES, wiki, lambda each: _purge(each, int(after)), *rest)


@app.task(name=EXPIRE_RECENT_CHANGES)
def expire(wiki: str | None = None) -> None:
    """Remove old changes from recentchanges of an emulated wiki; a MediaWiki does so itself."""
    _for_each_wiki(EXPIRE_RECENT_CHANGES, wiki, _expire)


def _for_each_wiki(task: str, wiki_id: str | None, work: Callable[[Wiki], None], *rest: str) -> None:
    """Do *work* for that wiki; if none is named, ring for every wiki, so that a slow one holds up no other."""
    with reported(task, wiki_id or ALL_WIKIS):
        here = services()
        if wiki_id is None:
            apart = min(APART_SECONDS, SPREAD_SECONDS / len(here.wikis))
            for number, each in enumerate(here.wikis):
                # A ring that waits long is not lost: it counts as lost only when two more are due.
                here.doorbell.ring(task, each, after=number * apart, lasts=2 * periods(here.settings)[task])
            return
        if is_passed_on(here, wiki_id):
            return
        with here.turns.bulkheads.place([PLACES], wiki=wiki_id) as has_place:
            here.doorbell.answer(task, wiki_id, *rest)
            if has_place:
                work(here.wiki(wiki_id))
            else:
                lasts = 2 * periods(here.settings)[task]
                here.doorbell.ring(task, wiki_id, *rest, after=NO_PLACE_SECONDS, lasts=lasts)


def _check(wiki: Wiki) -> None:
    here = services()
    if sentence := not_attached(wiki):
        log.error("not_attached", wiki=wiki.id, error=sentence)
    upkeep = here.settings.upkeep
    checks = here.runner.run(check_model_versions(wiki, here.client, upkeep))
    follow_up(wiki, checks, here.doorbell, rescore=upkeep.rescore)
    keep_versions(wiki, here.documents)
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
    """Promise edits that a rescoring did not reach, or whose scores were stored late under an old version."""
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
    """When a task that begins now must end so that others get its place; in monotonic seconds."""
    return time.monotonic() + services().settings.upkeep.task_seconds
