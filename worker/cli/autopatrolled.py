"""Who is autopatrolled if a stream does not say so: the groups of each wiki, shown before the first edit is read."""

from collections.abc import Sequence

from worker.cli.console import say
from worker.config.wiki import Wiki
from worker.incoming.edits import GroupsOf

#: How many wikis are named, if many have the same groups.
MOST_NAMED = 5


def shown_groups(wikis: Sequence[Wiki], also: Sequence[str] | None) -> GroupsOf:
    """The groups of each of *wikis*, *also* included; prints them on standard error."""
    groups = {wiki.id: wiki.autopatrolled_groups | set(also or ()) for wiki in wikis}
    sets = {names: [wiki for wiki, theirs in groups.items() if theirs == names] for names in groups.values()}
    for names, those in sets.items():
        more = f" and {len(those) - MOST_NAMED} more" if len(those) > MOST_NAMED else ""
        where = ", ".join(those[:MOST_NAMED]) + more
        who = ", ".join(sorted(names)) or "nobody"
        say(f"autopatrolled on {where}, where the stream does not say: {who}")
    return lambda wiki: groups.get(wiki, frozenset())
