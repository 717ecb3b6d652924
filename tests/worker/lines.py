"""The whole line as tests drive it: edits saved, drained and published on real servers, and what is left behind."""

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, event, func, select, text, update

from outbox import EDITS, Claim, Edit, Lane, claim
from outbox.backoff import FIRST
from outbox.columns import database_now
from outbox.database import Database
from outbox.inspection import LaneStatus, inspect_lane
from outbox.mediawiki.saving import save_edit
from outbox.tables import NEVER
from worker.bootstrap import Services
from worker.config.wiki import Wiki
from worker.events.file_sink import FILE
from worker.events.kinds import EVENT_LANES
from worker.lanes.rings import TURN
from worker.lanes.turn import Served
from worker.scores.own_tables import BACKFILL
from worker.scores.pipeline import ScoreConsumer
from worker.scores.tables import ores_classification, ores_model

LONG_AGO = text("'2001-01-01 00:00:00.000000'")
FOREVER = timedelta(hours=1)
#: Marks a statement that no worker would run.
OF_THE_TEST = {"of_the_test": True}
#: Seconds; nothing that failed is tried again sooner.
SHORTEST_PAUSE = FIRST.total_seconds() / 2


def save(database: Database, edits: Sequence[Edit]) -> None:
    with database.transaction() as session:
        for edit in edits:
            save_edit(session, edit)


class RecordingBell:
    """Notes what was rung for: a task, a wiki and, for a turn, a lane."""

    def __init__(self) -> None:
        self.rings: list[tuple[str, ...]] = []

    def turn(self, wiki: str, lane: str, *, after: float | None = None) -> None:
        self.rings.append((TURN, wiki, lane))

    def turn_again(self, wiki: str, lane: str, *, after: float) -> None:
        self.rings.append((TURN, wiki, lane))

    def ring(self, task: str, wiki: str, *rest: str) -> None:
        self.rings.append((task, wiki, *rest))

    def prompt(self, task: str, wiki: str) -> None:
        self.rings.append((task, wiki))


def serve(services: Services, lane: Lane, wiki: Wiki | None = None) -> RecordingBell:
    """Take turns at *lane* until nothing is ready; returns what was rung for."""
    wiki = wiki or services.wiki("enwiki")
    bell, began, served = RecordingBell(), time.monotonic(), Served(goes_on=True)
    turns = dataclasses.replace(services.turns, consumers=services.consumers, bell=bell)
    while served.goes_on:
        served = turns.take(wiki, lane.name)
        if served.follows is not None:
            bell.turn(wiki.id, served.follows)
        if time.monotonic() - began > SHORTEST_PAUSE:
            _keep_waiting(wiki.database, lane, timedelta(seconds=time.monotonic() - began))
    return bell


def _keep_waiting(database: Database, lane: Lane, elapsed: timedelta) -> None:
    """What was to be tried again in a while is not tried in the same drain, however long its turns take."""
    due_at = lane.waiting.c.due_at
    is_of_this_drain = due_at.between(database_now(-elapsed), database_now(FOREVER))
    with database.transaction() as session:
        later = update(lane.waiting).where(is_of_this_drain).values(due_at=database_now(FOREVER))
        session.execute(later, execution_options=OF_THE_TEST)


def drain(services: Services, wiki: Wiki | None = None) -> list[str]:
    """Drain until nothing is ready; returns the rings.

    They are "more" for each full batch, "settled" for each batch, and "news" for each with a new model version.
    """
    names = {EDITS.name: "more", **{lane.name: "settled" for lane in services.event_lanes.values()}}
    return [names[ring[2]] if ring[0] == TURN else "news" for ring in serve(services, EDITS, wiki).rings]


def drain_missing(services: Services, wiki: Wiki | None = None) -> None:
    """Drain the lane of the backfill, as far as no edit that was just saved is in the way."""
    serve(services, BACKFILL, wiki)


def publish(services: Services, sink: str = "file") -> None:
    serve(services, EVENT_LANES[sink])


def consumer_of_edits(services: Services) -> ScoreConsumer:
    consumer = services.consumers[EDITS.name]
    assert isinstance(consumer, ScoreConsumer)
    return consumer


def claim_edits(wiki: Wiki) -> list[Claim]:
    return claim_all(wiki.database, EDITS)


def claim_all(database: Database, lane: Lane) -> list[Claim]:
    with database.transaction() as session:
        return claim(session, lane, limit=1000, lease=FOREVER)


def score(services: Services, wiki: Wiki, claims: Sequence[Claim]) -> None:
    services.runner.run(consumer_of_edits(services).score_edits(wiki, claims))


def let_leases_run_out(database: Database, lane: Lane) -> None:
    with database.transaction() as session:
        messages = lane.messages
        session.execute(update(messages).where(messages.c.leased_until > NEVER).values(leased_until=LONG_AGO))


def make_due(database: Database, lane: Lane) -> None:
    """Bring the time of every waiting message of *lane*."""
    with database.transaction() as session:
        session.execute(update(lane.waiting).values(due_at=LONG_AGO))


def set_attempts(database: Database, lane: Lane, attempt: int) -> None:
    with database.transaction() as session:
        session.execute(update(lane.messages).values(attempt=attempt))


def status(database: Database, lane: Lane) -> LaneStatus:
    with database.reading() as connection:
        return inspect_lane(connection, lane)


def count(database: Database, table: Table) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def classified_revisions(database: Database) -> set[int]:
    with database.reading() as connection:
        return set(connection.execute(select(ores_classification.c.oresc_rev)).scalars())


def classified_versions(database: Database) -> dict[int, set[str]]:
    """The model versions under which each revision has rows."""
    found: dict[int, set[str]] = {}
    query = select(ores_classification.c.oresc_rev, ores_model.c.oresm_version).join(
        ores_model, ores_model.c.oresm_id == ores_classification.c.oresc_model
    )
    with database.reading() as connection:
        for revision, version in connection.execute(query):
            found.setdefault(revision, set()).add(version)
    return found


def promised_events(database: Database) -> list[dict[str, Any]]:
    with database.reading() as connection:
        messages = FILE.lane.messages
        payloads = connection.execute(select(messages.c.payload).order_by(messages.c.id)).scalars()
        return [json.loads(payload) for payload in payloads]


def is_of_the_test(context: Any) -> bool:
    """Whether SQLAlchemy runs a statement in that *context* that no worker would."""
    return context is not None and OF_THE_TEST.items() <= context.execution_options.items()


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The statements that run on the database's engine meanwhile, without transaction control and those of the test."""
    seen: list[str] = []

    def note(_1: Any, _2: Any, statement: str, _3: Any, context: Any, _many: bool) -> None:
        if not statement.startswith("BEGIN") and not is_of_the_test(context):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
