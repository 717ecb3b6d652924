"""Events a second: of each sink beside the bare client that does the same, and of the whole way from lane to file."""

import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

from rich.console import Group, RenderableType
from rich.table import Table
from sqlalchemy import Connection, func, select

from benchmarks.columns import DOMAIN, REVSCORING, WIKI
from benchmarks.edits import endless_edits
from benchmarks.measuring import Announce
from benchmarks.sink_pairs import Open, Send, SinkPair, opened_pairs
from outbox import Claim, record_payloads
from tests.builders import a_score, some_settings
from tests.outbox.lanes import statements
from tests.services import DURABLE, create_database, drop_database, mariadb_server
from worker.bootstrap import build_services
from worker.config.settings_sections import EventsSettings
from worker.domain.errors import CommandFailed
from worker.events.build import Announcing
from worker.events.kinds import EVENT_LANES
from worker.events.outcomes import read_events
from worker.events.sinks import OutgoingEvent
from worker.events.tables import event_ledger
from worker.upkeep.migrating import migrate

BATCH_SIZES = (1, 10, 100, 1000)
#: The size of a batch of one page, to see what its order costs.
ONE_PAGE_BATCH = 100
#: The most batches of one size, in all rounds together; small ones would take minutes.
MOST_BATCHES = 2000
DATABASE = "outpatrol_sinks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The batches of one round."""

    batch_size: int
    one_page: bool
    batches: Sequence[Sequence[OutgoingEvent]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of a pair: the median of its rounds, and the costs of one round."""

    events_per_second: float
    requests: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPair:
    """A sink with batches of one size; a ratio above 1 says that ours is the faster."""

    sink: str
    batch_size: int
    one_page: bool
    #: Of one round.
    events: int
    ours: Side
    bare: Side
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Events claimed in order, sent to the file sink and settled, with their lines in the ledger."""

    database: str
    batch_size: int
    events: int
    events_per_second: float
    #: Statements for one event; BEGIN and COMMIT are not counted.
    sql_statements: float


def measure_sinks(events: int, announce: Announce, *, rounds: int) -> list[MeasuredPair]:
    """Send *events* by each sink and its bare client, the same part of them in each round; whole batches only."""
    shapes = _shapes(events, rounds)
    with tempfile.TemporaryDirectory(prefix="outpatrol-bench-") as name, opened_pairs(Path(name)) as pairs:
        return [
            measure_pair(sink, open_pair, shape, announce, rounds=rounds)
            for sink, open_pair in pairs.items()
            for shape in shapes
        ]


def measure_publishing(events: int, announce: Announce) -> list[Published]:
    """The whole way on SQLite and on MariaDB, the latter started here unless the tests' variable names one."""
    payloads = bodies(events)
    with tempfile.TemporaryDirectory(prefix="outpatrol-bench-") as name, mariadb_server(DURABLE) as server_url:
        urls = {
            "sqlite": f"sqlite:///{Path(name) / 'wiki.db'}",
            "mariadb": create_database(server_url, DATABASE),
        }
        try:
            return [
                _publish(database, url, size, payloads[: MOST_BATCHES * size], Path(name), announce)
                for database, url in urls.items()
                for size in BATCH_SIZES
            ]
        finally:
            drop_database(server_url, DATABASE)


def bodies(count: int, *, one_page: bool = False) -> list[str]:
    """Events of the sample's edits with the scores of two models, each edit of another page or all of one."""
    announcing = Announcing(settings=EventsSettings())
    answers = [a_score(model=model) for model in REVSCORING]
    edits = (
        edit.model_copy(update={"page": 1 if one_page else edit.revision}) for edit in islice(endless_edits(), count)
    )
    now = datetime.now(UTC)
    return [event.encode() for edit in edits for event in announcing.events_of(edit, answers, domain=DOMAIN, now=now)]


def sink_tables(measured: Sequence[MeasuredPair], published: Sequence[Published]) -> RenderableType:
    sinks = Table(title="Our sinks, and beside each (→) the bare client doing the same", title_justify="left")
    for title in ("sink", "batch", "events/s", "ratio", "requests per 1,000 events", "bytes an event"):
        sinks.add_column(title, justify="left" if title == "sink" else "right", no_wrap=True)
    for each in measured:
        sinks.add_row(
            each.sink,
            f"{each.batch_size:,}{' of one page' if each.one_page else ''}",
            f"{each.ours.events_per_second:,.0f} → {each.bare.events_per_second:,.0f}",
            f"{each.ratio:.2f}",
            " → ".join(f"{1000 * side.requests / each.events:,.1f}" for side in (each.ours, each.bare)),
            " → ".join(f"{side.bytes / each.events:,.0f}" for side in (each.ours, each.bare)),
            end_section=each.one_page,
        )
    publishing = Table(title="Claimed in order, written to a file, settled with the ledger", title_justify="left")
    for title in ("database", "batch", "events/s", "SQL statements per 1,000 events"):
        publishing.add_column(title, justify="left" if title == "database" else "right", no_wrap=True)
    for way in published:
        publishing.add_row(
            way.database, f"{way.batch_size:,}", f"{way.events_per_second:,.0f}", f"{1000 * way.sql_statements:,.0f}"
        )
    return Group(sinks, publishing)


def in_batches(payloads: Sequence[str], size: int) -> list[list[OutgoingEvent]]:
    now = datetime.now(UTC)
    claims = [
        Claim(message=number, payload=body, attempt=1, token="", claimed_at=now) for number, body in enumerate(payloads)
    ]
    events = list(read_events(claims, max_attempts=1)[0].values())
    return [events[start : start + size] for start in range(0, len(events), size)]


def _shapes(events: int, rounds: int) -> list[Shape]:
    most = max(events // rounds, *BATCH_SIZES)
    of_many, of_one = bodies(most), bodies(most, one_page=True)

    def shape(size: int, payloads: Sequence[str], *, one_page: bool) -> Shape:
        count = max(1, min(events, MOST_BATCHES * size) // rounds // size)
        return Shape(batch_size=size, one_page=one_page, batches=in_batches(payloads[: count * size], size))

    return [
        *(shape(size, of_many, one_page=False) for size in BATCH_SIZES),
        shape(ONE_PAGE_BATCH, of_one, one_page=True),
    ]


def measure_pair(sink: str, open_pair: Open, shape: Shape, announce: Announce, *, rounds: int) -> MeasuredPair:
    """Count a round of each, then time them in turns, so that a busy machine slows both alike."""
    tell = announce(f"{sink}, batches of {shape.batch_size}{' of one page' if shape.one_page else ''}", rounds)
    events = sum(map(len, shape.batches))
    with open_pair(shape.batch_size) as pair:
        counts = {send: _counted(pair, send, shape.batches) for send in (pair.ours, pair.bare)}
        seconds: dict[Send, list[float]] = {pair.ours: [], pair.bare: []}
        for number in range(1, rounds + 1):
            for send in (pair.ours, pair.bare) if number % 2 else (pair.bare, pair.ours):
                seconds[send].append(_seconds(send, shape.batches))
            tell(number)
    ours, bare = (
        Side(events_per_second=events / median(seconds[send]), requests=counts[send][0], bytes=counts[send][1])
        for send in (pair.ours, pair.bare)
    )
    ratio = median(theirs / own for own, theirs in zip(seconds[pair.ours], seconds[pair.bare], strict=True))
    return MeasuredPair(
        sink=sink,
        batch_size=shape.batch_size,
        one_page=shape.one_page,
        events=events,
        ours=ours,
        bare=bare,
        ratio=ratio,
    )


def _counted(pair: SinkPair, send: Send, batches: Sequence[Sequence[OutgoingEvent]]) -> tuple[int, int]:
    """The requests and bytes of one round, which is the warm-up, too."""
    # Connections and topics are made before anything is counted.
    send(batches[0][:1])
    before = pair.totals()
    _seconds(send, batches)
    after = pair.totals()
    return after.requests - before.requests, after.bytes - before.bytes


def _seconds(send: Send, batches: Sequence[Sequence[OutgoingEvent]]) -> float:
    started = time.perf_counter()
    for batch in batches:
        send(batch)
    return time.perf_counter() - started


def _publish(
    database: str, url: str, size: int, payloads: Sequence[str], directory: Path, announce: Announce
) -> Published:
    events = len(payloads)
    tell = announce(f"publishing from {database}, batches of {size}", events)
    settings = some_settings(
        database_url=url,
        wikis=(WIKI,),
        outbox={"batch_size": size},
        sinks={"file": {"directory": directory / f"{database}-{size}"}},
    )
    with closing(build_services(settings)) as services:
        wiki = services.wiki(WIKI)
        migrate(wiki.database, emulated=True)
        for start in range(0, events, 1000):
            some = payloads[start : start + 1000]
            wiki.database.run(partial(record_payloads, lane=EVENT_LANES["file"], payloads=some))
        before = wiki.database.run(_lines_of_the_ledger)
        with statements(wiki.database.engine) as seen:
            started = time.perf_counter()
            while services.turns.take(wiki, EVENT_LANES["file"].name).goes_on:
                pass
            seconds = time.perf_counter() - started
        kept = wiki.database.run(_lines_of_the_ledger) - before
    if kept != events:
        raise CommandFailed(f"{database}: {kept} of {events} events were published")
    tell(events)
    return Published(
        database=database,
        batch_size=size,
        events=events,
        events_per_second=events / seconds,
        sql_statements=len(seen) / events,
    )


def _lines_of_the_ledger(session: Connection) -> int:
    return session.execute(select(func.count()).select_from(event_ledger)).scalar_one()
