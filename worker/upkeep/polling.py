"""The poll: rings for every wiki that has work which no doorbell announced, or none that was heard.

Each database server's poll is a task of its own, so that one that hangs holds up no other's.
"""

from collections.abc import Collection, Mapping, Sequence

from outbox import Lane
from outbox.database import Database
from outbox.inspection import work_of
from outbox.polling import Found, Poll
from worker.config.wiki import Wiki
from worker.flight.database_tier import OUTDATED, tidy
from worker.lanes.rings import Bell

#: Stands for a lane in the question whether anything is to be thrown away.
TIDY = "tidy"


def groups(wikis: Mapping[str, Wiki]) -> dict[str, list[Wiki]]:
    """The wikis of each group."""
    found: dict[str, list[Wiki]] = {}
    for wiki in wikis.values():
        found.setdefault(wiki.database.server.group, []).append(wiki)
    return found


class WikiPoll:
    """Looks into those *lanes* that somebody serves, and into what is to be thrown away."""

    def __init__(self, lanes: Collection[Lane]) -> None:
        self._poll = Poll({lane.name: work_of(lane) for lane in lanes} | {TIDY: OUTDATED})

    def ring_for(self, databases: Sequence[Database], bell: Bell) -> Found:
        """Ring for what is to be done in *databases*; returns what was found, and which could not be asked."""
        found = self._poll.ask(databases)
        by_wiki = {each.wiki: each for each in databases}
        for wiki, name in found.yes:
            if name != TIDY:
                bell.turn(wiki, name)
        for wiki, name in found.yes:
            if name == TIDY:
                tidy(by_wiki[wiki])
        return found
