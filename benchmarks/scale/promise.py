"""What a promise adds to the transaction of an edit that is saved by MediaWiki's statements, in each way to make it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from statistics import median

from sqlalchemy import Connection, create_engine

from benchmarks.measuring import Announce
from benchmarks.scale.mediawiki_edit import NOW, Hook, Spent, Submitted, save_edit, submitted
from benchmarks.scale.mediawiki_tables import USER, make_wiki
from benchmarks.servers import Servers, migrated_database, url_of
from outbox import Edit, record
from outbox.mediawiki.attaching import attach

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
class InMediaWiki:
    """The shares of a promise that the trigger of an attached wiki makes, and of one by `outbox.record`.

    And what a `SELECT 1` costs in the place of the latter: no statement of its own can cost less.
    """

    trigger: Share
    record: Share
    empty: Share


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
    """The hook of a wiki without us, or of an attached one."""


def ask_nothing(connection: Connection, _edit: Submitted, _revision: int, _parent: int) -> None:
    connection.exec_driver_sql("SELECT 1").one()


HOOKS: Sequence[Hook] = (promise, promise_nothing, ask_nothing)


def measure_in_mediawiki(servers: Servers, saved: int, announce: Announce) -> InMediaWiki:
    """Save *saved* edits with each of the hooks, in turns and each time in another order, each of a page of its own.

    After each an edit is saved on an attached wiki, so that the tables of both grow alike.
    """
    pages, spent = count(1), dict[Hook, list[Spent]]()
    attached = list[Spent]()
    with ExitStack() as stack:
        wiki = stack.enter_context(_wiki(servers, "bench_mediawiki", len(HOOKS) * (saved + WARM_UP)))
        other = stack.enter_context(_wiki(servers, "bench_attached", len(HOOKS) * (saved + WARM_UP), is_attached=True))
        tell = announce("saving by MediaWiki's statements", saved)
        for number in range(-WARM_UP, saved):
            first = number % len(HOOKS)
            for hook in (*HOOKS[first:], *HOOKS[:first]):
                edit = submitted(next(pages))
                found, on_other = save_edit(wiki, edit, hook), save_edit(other, edit, promise_nothing)
                if number >= 0:
                    spent.setdefault(hook, []).append(found)
                    attached.append(on_other)
            tell(max(number + 1, 0))
    nothing = spent[promise_nothing]
    return InMediaWiki(
        trigger=Share(milliseconds=_whole(attached), promise_milliseconds=1000 * added_by_trigger(attached, nothing)),
        record=Share(milliseconds=_whole(spent[promise]), promise_milliseconds=1000 * added(spent[promise], nothing)),
        empty=Share(
            milliseconds=_whole(spent[ask_nothing]),
            promise_milliseconds=1000 * median(each.hook for each in spent[ask_nothing]),
        ),
    )


@contextmanager
def _wiki(servers: Servers, name: str, pages: int, *, is_attached: bool = False) -> Iterator[Connection]:
    """A connection to a MediaWiki of its own; its engine has the server's settings, as that of a wiki has."""
    with migrated_database(servers, name, emulated=False) as database:
        make_wiki(database, pages)
        if is_attached:
            database.run(lambda connection: attach(connection, "w0"))
        engine = create_engine(url_of(database))
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


def _whole(spent: Sequence[Spent]) -> float:
    return 1000 * median(each.all for each in spent)


def added(promised: Sequence[Spent], without: Sequence[Spent]) -> float:
    """Seconds by which a transaction is longer with a promise: the call itself, and what it adds to the COMMIT.

    Steadier than the difference of two whole transactions, of which all other statements are a part.
    """
    return median(each.hook for each in promised) + _longer_commit(promised, without)


def added_by_trigger(promised: Sequence[Spent], without: Sequence[Spent]) -> float:
    """The same where the INSERT of the revision makes the promise: what that takes longer, and the COMMIT."""
    longer = median(each.revision for each in promised) - median(each.revision for each in without)
    return longer + _longer_commit(promised, without)


def _longer_commit(promised: Sequence[Spent], without: Sequence[Spent]) -> float:
    return median(each.commit for each in promised) - median(each.commit for each in without)
