"""Any sequence of what can happen to messages: nothing is ever held twice, nothing is ever lost."""

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from outbox import EDITS, Claim, Dead, Delivered, Outcome, RetryLater
from outbox.database import Engines
from outbox.dead_letters import list_dead_letters, requeue
from outbox.tables import metadata
from tests.examples import examples
from tests.outbox.lanes import end, hold, make_due, record_edits, revisions, rows, run_out, take

OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(
    [
        Delivered(),
        RetryLater(timedelta(hours=1), "503"),
        RetryLater(timedelta(hours=1), "the endpoint is down", burns_attempt=False),
        Dead("refused", "400"),
    ]
)


@dataclass(slots=True)
class Lease:
    """What the model knows of a message that was claimed and is not settled."""

    token: str
    attempt: int
    is_valid: bool = True


class Lifecycle(RuleBasedStateMachine):
    """Workers that claim, die, come back and settle, against a model that knows messages by their revision."""

    batches = Bundle("batches")

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.engines = Engines()
        self.database = self.engines.open("enwiki", f"sqlite:///{Path(self.directory.name) / 'enwiki.db'}")
        with self.database.transaction() as session:
            metadata.create_all(session)
        self.recorded = 0
        self.leases: dict[int, Lease] = {}
        #: Attempts counted so far of the messages that nobody holds.
        self.attempts: dict[int, int] = {}
        self.delivered: set[int] = set()
        self.given_up: set[int] = set()

    def teardown(self) -> None:
        self.engines.close()
        self.directory.cleanup()

    @rule(count=st.integers(1, 5))
    def record(self, count: int) -> None:
        record_edits(self.database, count, first=self.recorded + 1)
        self.attempts |= dict.fromkeys(range(self.recorded + 1, self.recorded + count + 1), 0)
        self.recorded += count

    @rule(target=batches, limit=st.integers(1, 9))
    def claim(self, limit: int) -> list[Claim]:
        claims = take(self.database, limit=limit)
        for claim in claims:
            (revision,) = revisions([claim])
            lease = self.leases.get(revision)
            assert lease is None or not lease.is_valid, f"{revision} is held twice"
            before = lease.attempt if lease else self.attempts.pop(revision)
            assert claim.attempt == before + 1
            self.leases[revision] = Lease(claim.token, claim.attempt)
        return claims

    @rule(batch=batches)
    def expire(self, batch: list[Claim]) -> None:
        mine = self.still_held(batch)
        run_out(self.database, mine)
        for revision in revisions(mine):
            self.leases[revision].is_valid = False

    @rule(batch=batches)
    def renew(self, batch: list[Claim]) -> None:
        mine = self.still_held(batch)
        assert hold(self.database, batch) == len(mine)
        for revision in revisions(mine):
            self.leases[revision].is_valid = True

    @rule(batch=batches, outcomes=st.lists(OUTCOMES, min_size=9, max_size=9))
    def settle(self, batch: list[Claim], outcomes: list[Outcome]) -> None:
        mine = self.still_held(batch)
        ends = dict(zip(batch, outcomes, strict=False))
        assert end(self.database, ends) == set(mine)
        for claim in mine:
            (revision,) = revisions([claim])
            del self.leases[revision]
            match ends[claim]:
                case Delivered():
                    self.delivered.add(revision)
                case Dead():
                    self.given_up.add(revision)
                case RetryLater(burns_attempt=burns_attempt):
                    self.attempts[revision] = claim.attempt if burns_attempt else claim.attempt - 1

    @rule()
    def let_time_pass(self) -> None:
        make_due(self.database)

    @rule()
    def requeue_the_dead(self) -> None:
        with self.database.transaction() as session:
            letters = list_dead_letters(session, EDITS)
            assert requeue(session, EDITS, [letter.id for letter in letters]) == len(self.given_up)
        self.attempts |= dict.fromkeys(self.given_up, 0)
        self.given_up.clear()

    @invariant()
    def every_recorded_message_is_in_exactly_one_place(self) -> None:
        ready_or_held = [row["payload"] for row in rows(self.database, EDITS.messages)]
        waiting = [row["payload"] for row in rows(self.database, EDITS.waiting)]
        dead = [row["payload"] for row in rows(self.database, EDITS.dead_letters)]
        assert self.recorded == len(self.delivered) + len(dead) + len(waiting) + len(ready_or_held)
        assert len({*ready_or_held, *waiting, *dead}) == self.recorded - len(self.delivered)
        assert len(dead) == len(self.given_up)

    def still_held(self, batch: list[Claim]) -> list[Claim]:
        """Those of *batch* that nobody has taken or settled since."""
        return [claim for claim in batch if self.leases.get(revisions([claim])[0], NOBODYS).token == claim.token]


NOBODYS = Lease("", 0)

TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=examples(40), stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
