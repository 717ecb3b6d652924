"""What a promise adds to the transaction of an edit that is saved by MediaWiki's statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from statistics import median

from sqlalchemy import Connection, create_engine

from benchmarks.measuring import Announce
from benchmarks.scale.mediawiki_edit import NOW, Hook, Spent, Submitted, save_edit, submitted
from benchmarks.scale.mediawiki_tables import USER, make_wiki
from benchmarks.servers import Servers, migrated_database, url_of
from outbox import Edit, record

WARM_UP = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """From BEGIN to COMMIT of an edit, medians."""

    #: One promise is among it.
    milliseconds: float
    #: Of that promise.
    promise_milliseconds: float

    @property
    def share(self) -> float:
        return self.promise_milliseconds / self.milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class InMediaWiki(Share):
    """The same, with what a `SELECT 1` costs in the place of the promise: no promise can cost less."""

    empty_milliseconds: float

    @property
    def empty_share(self) -> float:
        return self.empty_milliseconds / self.milliseconds


def promise(connection: Connection, edit: Submitted, revision: int, parent: int) -> None:
    """The hook of a wiki that promises. It makes the edit as well, for the revision's number was not known before."""
    promised = Edit(
        wiki="w0",
        revision=revision,
        parent_revision=parent,
        page=edit.page,
        namespace=0,
        title=f"Page {edit.page}",
        timestamp=NOW,
        user=USER,
    )
    record(connection, promised)


def promise_nothing(_connection: Connection, _edit: Submitted, _revision: int, _parent: int) -> None:
    """The hook of a wiki without us."""


def ask_nothing(connection: Connection, _edit: Submitted, _revision: int, _parent: int) -> None:
    connection.exec_driver_sql("SELECT 1").one()


HOOKS: Sequence[Hook] = (promise, promise_nothing, ask_nothing)


def measure_in_mediawiki(servers: Servers, saved: int, announce: Announce) -> InMediaWiki:
    """Save *saved* edits with each of the hooks, in turns and each time in another order, each of a page of its own."""
    pages, spent = count(1), dict[Hook, list[Spent]]()
    with migrated_database(servers, "bench_mediawiki", emulated=False) as database:
        make_wiki(database, len(HOOKS) * (saved + WARM_UP))
        # A wiki has an engine of its own, with the server's settings.
        engine = create_engine(url_of(database))
        tell = announce("saving by MediaWiki's statements", saved)
        with engine.connect() as connection:
            for number in range(-WARM_UP, saved):
                first = number % len(HOOKS)
                for hook in (*HOOKS[first:], *HOOKS[:first]):
                    found = save_edit(connection, submitted(next(pages)), hook)
                    if number >= 0:
                        spent.setdefault(hook, []).append(found)
                tell(max(number + 1, 0))
        engine.dispose()
    return InMediaWiki(
        milliseconds=1000 * median(each.all for each in spent[promise]),
        promise_milliseconds=1000 * added(spent[promise], spent[promise_nothing]),
        empty_milliseconds=1000 * median(each.hook for each in spent[ask_nothing]),
    )


def added(promised: Sequence[Spent], without: Sequence[Spent]) -> float:
    """Seconds by which a transaction is longer with a promise: the call itself, and what it adds to the COMMIT.

    Steadier than the difference of two whole transactions, of which all other statements are a part.
    """
    longer = median(each.commit for each in promised) - median(each.commit for each in without)
    return median(each.hook for each in promised) + longer
