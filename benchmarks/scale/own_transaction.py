"""What a promise costs the edit's own transaction, and whether saving ever waits for those who drain."""

import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import count, takewhile
from statistics import median

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from benchmarks.contenders import wait_until_done
from benchmarks.many_wikis import ManyWikis, many_wikis
from benchmarks.measuring import Announce
from benchmarks.scale.backlog import WARM_UP_EDITS, fill
from benchmarks.scale.promise import InMediaWiki, Share, measure_in_mediawiki
from benchmarks.servers import Servers, connect, migrated_database, url_of
from benchmarks.settled import Settled
from benchmarks.traffic import Latencies, latencies_of
from outbox import EDITS, record
from outbox.database import Database, is_busy
from outbox.mediawiki.saving import save_edit
from tests.builders import an_edit

SAVERS = 2
#: Edits that wait for the workers meanwhile, for each that is saved, and at least: more than are drained in that time.
BEHIND, BEHIND_AT_LEAST = 40, 20_000
WANTED_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTransaction:
    """What a promise costs there, and what savers meet beside a drain."""

    edits: int
    mediawiki: InMediaWiki
    #: Of an edit that `outbox.mediawiki.saving` saves. A promise is what a second one in the same transaction costs,
    #: for which the edit is at hand and all is warm.
    emulated: Share
    #: An emulated wiki's, while two worker processes drain the same lane, by two savers at once.
    beside_a_drain: Latencies
    #: How often a saver met a lock that it would have had to wait for.
    lock_waits: int
    #: Edits that the workers settled meanwhile.
    drained: int


def measure_own_transaction(servers: Servers, saved: int, announce: Announce) -> OwnTransaction:
    """Save edits by MediaWiki's statements, edits of an emulated wiki, and *saved* of these beside a drain."""
    mediawiki = measure_in_mediawiki(servers, saved, announce)
    numbers = count(1_000)
    with ExitStack() as stack:
        database = stack.enter_context(migrated_database(servers, "bench_edit"))
        _save(database, next(numbers))
        tell = announce("saving with one promise and with two", saved)
        seconds: tuple[list[float], list[float]] = ([], [])
        for number in range(saved):
            for promises, found in enumerate(seconds, 1):
                found.append(_save(database, next(numbers), promises))
            tell(number + 1)
        one, two = (1000 * median(found) for found in seconds)
        here = stack.enter_context(many_wikis(servers, {"w0": url_of(database)}))
        beside, waits, drained = _beside_a_drain(database, here, numbers, saved, announce)
    return OwnTransaction(
        edits=saved,
        mediawiki=mediawiki,
        emulated=Share(milliseconds=one, promise_milliseconds=two - one),
        beside_a_drain=beside,
        lock_waits=waits,
        drained=drained,
    )


def _beside_a_drain(
    database: Database, here: ManyWikis, numbers: "count[int]", saved: int, announce: Announce
) -> tuple[Latencies, int, int]:
    """How long saving takes then, how often it met a lock, and how much was drained meanwhile.

    Saving goes on until something was drained, for on a busy machine the workers may rest longer than it takes.
    """
    settled, waits, seconds, has_drained = Settled(here.worker.log), count(), list[float](), threading.Event()
    with closing(connect(url_of(database))) as connection, connection.cursor() as cursor:
        fill(cursor, max(BEHIND_AT_LEAST, saved * BEHIND))
    here.services.doorbell.turn("w0", EDITS.name)

    def done() -> int:
        settled.look()
        return settled.edits

    # From there on both processes take turns.
    wait_until_done(here.worker, done, WARM_UP_EDITS)
    before = done()

    def save() -> None:
        for number in takewhile(lambda saved_here: saved_here < saved // SAVERS or not has_drained.is_set(), count()):
            tell(min(saved, SAVERS * number))
            try:
                seconds.append(_save(database, next(numbers), waits_for_locks=False))
            except OperationalError as error:
                if not is_busy(error):
                    raise
                next(waits)

    tell = announce("saving beside a drain", saved)
    savers = [threading.Thread(target=save) for _ in range(SAVERS)]
    for saver in savers:
        saver.start()
    try:
        wait_until_done(here.worker, done, before + 1)
    finally:
        has_drained.set()
        for saver in savers:
            saver.join()
    return latencies_of(seconds), next(waits), done() - before


def _save(database: Database, number: int, promises: int = 1, *, waits_for_locks: bool = True) -> float:
    """Seconds from BEGIN to COMMIT of an edit of a page of its own; its first promise is among what saving does."""
    edit = an_edit(wiki="w0", revision=number, page=number)
    began = time.perf_counter()
    with database.transaction() as session:
        if not waits_for_locks:
            # The server then refuses at once where it would have waited.
            session.execute(text("SET SESSION innodb_lock_wait_timeout = 0"))
        save_edit(session, edit)
        if promises > 1:
            record(session, edit)
    return time.perf_counter() - began
