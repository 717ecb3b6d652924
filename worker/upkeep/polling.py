"""The poll: rings for every wiki with work for which no ring came, or for which the ring was lost.

It also promises the edits of wikis whose recentchanges are followed.

Each database server is polled by a task of its own, so that one that hangs does not delay the others.
"""

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from outbox import EDITS, Lane
from outbox.database import Database
from outbox.inspection import work_of
from outbox.polling import Found, Poll
from worker.config.wiki import Wiki
from worker.flight.database_tier import OUTDATED, tidy
from worker.incoming.following import MOST, has_news, promise_new
from worker.lanes.rings import Bell

#: Stand for a lane when the question is whether rows of `score_flight` have run out, or recentchanges has news.
TIDY, NEWS = "tidy", "news"
#: Every so many polls look for everything.
PATIENT_POLLS = 6


def groups(wikis: Mapping[str, Wiki]) -> dict[str, list[Wiki]]:
    """The wikis of each group."""
    found: dict[str, list[Wiki]] = {}
    for wiki in wikis.values():
        found.setdefault(wiki.database.server.group, []).append(wiki)
    return found


class WikiPoll:
    """Looks for work in the *lanes* that have a consumer, and for rows that have run out.

    The *patient* lanes, and rows that have run out, are asked for in every sixth poll of a server only, from the first
    on: for a server with many wikis, opening tables is most of what a poll costs, and no edit waits for these.
    Recentchanges of the wikis in *followed* is read by id after all that, since it takes transactions of its own.
    """

    def __init__(self, lanes: Collection[Lane], patient: Collection[Lane] = (), followed: Collection[str] = ()) -> None:
        #: How many tables of a wiki it opens: of each lane what is ready and what waits, and one of rows that run out.
        self.tables = 2 * len(lanes) + 1
        questions = {lane.name: work_of(lane) for lane in lanes}
        self._all = Poll(questions | {TIDY: OUTDATED})
        self._urgent = Poll({lane.name: questions[lane.name] for lane in lanes if lane not in patient})
        self._followed = frozenset(followed)
        self._news = Poll({NEWS: has_news()})
        #: How often the wikis of each group were asked.
        self._polls: Counter[str] = Counter()
        #: Wikis that could not be asked the last time; a locked file takes long to say so, each time.
        self._late: set[str] = set()
        self._asking_late = threading.Lock()

    def ring_for(self, databases: Sequence[Database], bell: Bell) -> Found:
        """Ring for the work in *databases*; returns what was found, and the databases that could not be asked.

        All are of one group. Those that failed the last time come after all others, and in one poll at a time.
        """
        group = databases[0].server.group if databases else ""
        poll = self._urgent if self._polls[group] % PATIENT_POLLS else self._all
        # A server keeps those tables open that were used last. Asked to and fro, it is asked for these first; always in
        # the same order, it would have closed each one again before its turn.
        databases = databases[::-1] if self._polls[group] % 2 else databases
        self._polls[group] += 1
        late = [each for each in databases if each.wiki in self._late]
        found = self._ring_for(poll, [each for each in databases if each not in late], bell)
        if late and self._asking_late.acquire(blocking=False):
            try:
                more = self._ring_for(poll, late, bell)
            finally:
                self._asking_late.release()
            found = Found(yes=found.yes + more.yes, failed=found.failed | more.failed)
        return Found(yes=found.yes, failed=self._promise_news(databases, bell) | found.failed)

    def _promise_news(self, databases: Sequence[Database], bell: Bell) -> dict[str, Exception]:
        """Promise what is new where recentchanges is followed, and ring for it; returns what can't be read, and why."""
        by_wiki = {each.wiki: each for each in databases if each.wiki in self._followed}
        found = self._news.ask(list(by_wiki.values()))
        for wiki, _ in found.yes:
            try:
                while read := by_wiki[wiki].run(partial(promise_new, wiki=wiki)):
                    bell.turn(wiki, EDITS.name)
                    if read < MOST:
                        break
            except Exception as error:  # noqa: BLE001 - nonsense in one database holds up no other
                found.failed[wiki] = error
        return found.failed

    def _ring_for(self, poll: Poll, databases: Sequence[Database], bell: Bell) -> Found:
        found = poll.ask(databases)
        by_wiki = {each.wiki: each for each in databases}
        self._late = (self._late - by_wiki.keys()) | found.failed.keys()
        for wiki, name in found.yes:
            if name != TIDY:
                bell.turn(wiki, name)
        for wiki, name in found.yes:
            if name == TIDY:
                tidy(by_wiki[wiki])
        return found
