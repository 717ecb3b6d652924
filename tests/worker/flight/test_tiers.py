"""One protocol, three tiers: any sequence of what holders and waiters can do, against the rules in plain dictionaries.

The rules say what each step returns. So no two tokens ever have a live lease for one id, an answer does not change
while it is cached, an end that is handed over reaches those who waited for its holder and nobody else, and a late
holder neither fails for others nor releases what is theirs.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from redis import Redis

from outbox.database import Database
from tests.builders import a_score, a_score_error
from tests.examples import examples
from tests.worker.flight.rules import Rules, State
from tests.worker.flight.timed_tiers import LIFETIMES, DatabaseTimedTier, ProcessTimedTier, RedisTimedTier, TimedTier
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.flight.tiers import Acquired, by_true_version

#: The second is where answers of a newer version to the first belong.
IDS = [
    ScoreId("enwiki", "damaging", 1, "0.5.1"),
    ScoreId("enwiki", "damaging", 1, "0.6.0"),
    ScoreId("enwiki", "damaging", 2, "0.5.1"),
    ScoreId("enwiki", "goodfaith", 1, "0.5.1"),
]
TOKENS = ["a" * 32, "b" * 32, "c" * 32]
#: No sum of these is near the end of any lifetime.
PAUSES = [100, 400, 500, 1_100, 5_000, 20_000]
#: Real seconds that an example may take.
SLACK = 40

ANSWERS: list[Callable[[ScoreId], Answer]] = [
    lambda score_id: a_score(model=score_id.model, version=score_id.version),
    lambda score_id: a_score(model=score_id.model, version=score_id.version, prediction="true"),
    lambda score_id: a_score_error(model=score_id.model, version=score_id.version),
    lambda score_id: a_score(model=score_id.model, version="0.6.0"),
    lambda score_id: a_score_error(model=score_id.model, version="0.6.0", type="RevisionNotScorable"),
    lambda _: NoAnswer("down", Failure.OUTAGE, retry_after=3.5),
    lambda _: NoAnswer("no answer in time", Failure.LATE),
]

tokens = st.sampled_from(TOKENS)
some_ids = st.lists(st.sampled_from(IDS), unique=True)
answers = st.dictionaries(st.sampled_from(IDS), st.sampled_from(ANSWERS)).map(
    lambda makers: {score_id: make(score_id) for score_id, make in makers.items()}
)


class Holders(RuleBasedStateMachine):
    """Holders and waiters of a tier; who comes late is whoever ends what has been another's meanwhile."""

    def __init__(self, timed: TimedTier) -> None:
        super().__init__()
        timed.clear()
        self.timed = timed
        self.tier = timed.tier
        self.model = Rules(LIFETIMES)

    @rule(ids=some_ids, token=tokens, waited_for=st.dictionaries(st.sampled_from(IDS), tokens))
    def acquire(self, ids: list[ScoreId], token: str, waited_for: dict[ScoreId, str]) -> None:
        acquired = self.tier.acquire(ids, token, waited_for)

        assert states(acquired) == self.model.acquire(ids, token, waited_for)
        for score_id, lease in acquired.under_way.items():
            assert lease.seconds == pytest.approx(self.model.leases[score_id].left, abs=SLACK)

    @rule(ids=some_ids, token=tokens)
    def renew(self, ids: list[ScoreId], token: str) -> None:
        self.tier.renew(ids, token)
        self.model.renew(ids, token)

    @rule(ids=some_ids, token=tokens)
    def release(self, ids: list[ScoreId], token: str) -> None:
        assert self.tier.finish(ids, {}, token) == self.model.finish(ids, {}, token)

    @rule(ids=some_ids, answers=answers, token=tokens, with_those_of_newer_models=st.booleans())
    def finish(
        self, ids: list[ScoreId], answers: dict[ScoreId, Answer], token: str, with_those_of_newer_models: bool
    ) -> None:
        if with_those_of_newer_models:
            answers = answers | by_true_version(answers.items())
        assert self.tier.finish(ids, answers, token) == self.model.finish(ids, answers, token)

    @rule(seconds=st.sampled_from(PAUSES))
    def advance(self, seconds: float) -> None:
        self.timed.advance(seconds)
        self.model.advance(seconds)

    @rule()
    def tidy(self) -> None:
        self.timed.tidy()

    @invariant()
    def everybody_sees_the_ends_that_stand(self) -> None:
        assert self.tier.ends(IDS) == self.model.ends(IDS)


def states(acquired: Acquired) -> dict[ScoreId, State]:
    """What became of each id; fails if one is in two places."""
    kinds: list[dict[ScoreId, State]] = [
        {score_id: ("cached", answer) for score_id, answer in acquired.cached.items()},
        {score_id: ("handed over", answer) for score_id, answer in acquired.handed_over.items()},
        {score_id: ("under way", lease.token) for score_id, lease in acquired.under_way.items()},
        dict.fromkeys(acquired.ours, ("ours", None)),
    ]
    together = {score_id: state for kind in kinds for score_id, state in kind.items()}
    assert len(together) == sum(map(len, kinds)) == len(together) + len(acquired.ours) - len(set(acquired.ours))
    return together


def walk(timed: TimedTier, most: int) -> None:
    run_state_machine_as_test(
        lambda: Holders(timed),  # type: ignore[arg-type]
        settings=settings(
            max_examples=examples(most),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.property
def test_the_process_tier_keeps_the_rules() -> None:
    walk(ProcessTimedTier(), 60)


@pytest.mark.property
def test_the_redis_tier_keeps_the_rules(redis: Redis) -> None:
    walk(RedisTimedTier(redis), 40)


@pytest.mark.property
def test_the_database_tier_keeps_the_rules(database: Database) -> None:
    walk(DatabaseTimedTier(database), 12)
