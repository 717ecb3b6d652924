"""However long an endpoint was out, all that waits for it is served within half a minute of its return."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from outbox.backoff import backoff
from tests.builders import a_score
from tests.clock import Clock
from tests.examples import examples
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.endpoints.circuits import Circuits
from worker.endpoints.scoring_client import PROBE_EDITS

POLL_SECONDS = 10.0
MODELS = ("damaging", "goodfaith")
WANTED_SECONDS = 30.0


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


@dataclass(slots=True)
class Wiki:
    """Edits that wait for their scores, claimed at each poll as workers do."""

    circuits: Circuits
    clock: Clock
    #: Revision to the moment before which it is not claimed.
    due: dict[int, float] = field(default_factory=dict)

    def polled(self, failure: Failure | None) -> None:
        """Claim what is due until nothing is; the endpoint fails as *failure* says, or serves."""
        while claims := self._claims():
            ids = [ScoreId("enwiki", model, revision, "1") for revision in claims for model in MODELS]
            admitted = self.circuits.admit(ids)
            answers: dict[ScoreId, Answer] = dict(admitted.cut_off)
            for score_id in [*admitted.asked, *admitted.probes]:
                answers[score_id] = self._asked(score_id, failure)
            self._settle(claims, self.circuits.judged(answers))

    def _claims(self) -> list[int]:
        ready = [revision for revision, moment in self.due.items() if moment <= self.clock()]
        is_cut_off = self.circuits.is_cut_off("enwiki", MODELS)
        return [] if is_cut_off else ready[: PROBE_EDITS if is_cut_off is None else 200]

    def _asked(self, score_id: ScoreId, failure: Failure | None) -> Answer:
        if failure is None:
            answer = a_score(model=score_id.model)
            self.circuits.answered({score_id: answer}, self.clock())
            return answer
        error = EndpointUnavailable("it fails", failure)
        self.circuits.unanswered([score_id], error, self.clock())
        return NoAnswer(str(error), failure)

    def _settle(self, claims: list[int], answers: dict[ScoreId, Answer]) -> None:
        for revision in claims:
            silent = [
                answer
                for score_id, answer in answers.items()
                if score_id.revision == revision and isinstance(answer, NoAnswer)
            ]
            if silent:
                asked = max(answer.retry_after or 0.0 for answer in silent)
                self.due[revision] = self.clock() + max(asked, backoff(1).total_seconds())
            else:
                del self.due[revision]


@settings(max_examples=examples(60), deadline=None)
@given(
    st.floats(5, 2000),
    st.integers(1, 60),
    st.sampled_from([Failure.TRANSIENT, Failure.OUTAGE, Failure.LATE]),
    st.integers(0, 2**32),
)
def test_all_that_waits_is_served_within_half_a_minute_of_the_end_of_an_outage(
    seconds: float, edits: int, failure: Failure, seed: int
) -> None:
    random.seed(seed)
    clock = Clock()
    wiki = Wiki(Circuits("http://scores.test", lambda _: None, clock=clock), clock)
    wiki.due = dict.fromkeys(range(1, edits + 1), clock())
    ends = clock() + seconds
    while wiki.due and clock() < ends + 2 * WANTED_SECONDS:
        wiki.polled(failure if clock() < ends else None)
        clock.now += POLL_SECONDS
    assert not wiki.due
    assert clock() - POLL_SECONDS <= ends + WANTED_SECONDS
