"""Which scores an endpoint is asked for: circuits as narrow as the fault, kept in this process' memory.

There is one for each model of each wiki. While it is open, its scores get no answer at once, and one of them probes now
and then. The wide one opens if most of those that were asked lately are open and nobody has been served since.
"""

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer, ScoreId
from worker.endpoints.bisecting import RequestRefused
from worker.endpoints.tries import Tries
from worker.lanes.circuits import Circuit

#: Seconds between probes at most: of a circuit for one model of one wiki, and of the wide one. A wiki that has just
#: probed the wide one waits longer than others, so that probes go round.
NARROW_SECONDS = 5.0
WIDE_SECONDS = 5.0
#: Seconds after the next probe within which scores without an answer come back.
SPREAD_SECONDS = 3.0
#: Seconds that count as "lately".
LATELY_SECONDS = 60.0
#: Wikis that must fail before others, which might still be served, are not asked.
WIKIS_TO_OPEN = 3
#: How many models of wikis are remembered.
MOST_KEPT = 4096

#: Stands for the model in questions about a wiki that are not about a model.
NO_MODEL = ""


@dataclass(slots=True)
class Admitted:
    """What to ask for, what to ask for one by one as a probe, and what not to."""

    asked: list[ScoreId] = field(default_factory=list)
    probes: list[ScoreId] = field(default_factory=list)
    cut_off: dict[ScoreId, Answer] = field(default_factory=dict)


class Circuits:
    """The circuits of one *endpoint*; *tell* is called with the reason while nobody is served.

    Where it *is asked for scores*, it may serve these though it answers no other questions.

    Used by one thread, except `is_cut_off`.
    """

    def __init__(
        self,
        endpoint: str,
        tell: Callable[[str], None],
        *,
        is_asked_for_scores: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._tell = tell
        self._is_asked_for_scores = is_asked_for_scores
        self._clock = clock
        #: By wiki and model; the one that was asked last is at the end.
        self._tries: OrderedDict[tuple[str, str], Tries] = OrderedDict()
        self._wide = Circuit(endpoint, longest_seconds=WIDE_SECONDS, clock=clock)
        self._served_at = 0.0

    def admit(self, ids: Sequence[ScoreId]) -> Admitted:
        """Say which of *ids*, all of one wiki, to ask for; one whose circuit is open only as a probe that is due."""
        admitted, probed = Admitted(), set[str]()
        keys = {score_id.model: self._of(score_id.wiki, score_id.model) for score_id in ids}
        closed = {model for model, tries in keys.items() if not tries.is_open}
        is_wide = self._wide.reason is not None
        if is_wide and not self._wide.may_ask():
            closed, keys = set(), {}
        # A revision with other models to be scored by does not wait for a probe when it comes first.
        scored = {score_id.revision for score_id in ids if score_id.model in closed and not is_wide}
        for score_id in ids:
            tries = keys.get(score_id.model)
            if tries is None:
                admitted.cut_off[score_id] = self._not_asked(self._wide)
            elif score_id.model in closed and not is_wide:
                admitted.asked.append(score_id)
            elif not (is_wide and probed) and self._may_probe(score_id, tries, probed, scored):
                probed.add(score_id.model)
                admitted.probes.append(score_id)
            else:
                tries.note(score_id.revision)
                admitted.cut_off[score_id] = self._not_asked(self._wide if is_wide else tries.circuit)
        if is_wide and keys and not probed:
            self._wide.not_asked()
        return admitted

    def admit_question(self, wiki: str) -> None:
        """Allow a question about *wiki* that is not about a revision.

        Raises:
            EndpointUnavailable: it is not to be asked now.
        """
        narrow = self._of(wiki, NO_MODEL).circuit
        if not narrow.may_ask():
            self._refuse(narrow)
        if not self._wide.may_ask():
            narrow.not_asked()
            self._refuse(self._wide)

    def answered(self, answers: Mapping[ScoreId, Answer], began: float) -> None:
        """Note what a reply to a request that *began* then holds."""
        silent = {score_id: answer for score_id, answer in answers.items() if isinstance(answer, NoAnswer)}
        for score_id, answer in silent.items():
            self._failed(score_id.wiki, score_id.model, [score_id.revision], answer.failure, answer.error, began)
        for wiki, model in {(each.wiki, each.model) for each in answers if each not in silent}:
            self.served(wiki, model)

    def unanswered(self, ids: Iterable[ScoreId], error: EndpointUnavailable, began: float) -> None:
        """Note that a request for *ids* that *began* then has failed."""
        if isinstance(error, RequestRefused) and error.said:
            self.answered({each: error.answer(each) for each in ids if each.revision in error.said}, began)
            return
        revisions: dict[tuple[str, str], list[int]] = {}
        for score_id in ids:
            revisions.setdefault((score_id.wiki, score_id.model), []).append(score_id.revision)
        for (wiki, model), of_model in revisions.items():
            self._failed(wiki, model, of_model, error.failure, str(error), began)

    def served(self, wiki: str, model: str = NO_MODEL) -> None:
        """Note that *wiki* was served."""
        self._served_at = self._clock()
        self._of(wiki, model).served(self._served_at)
        if self._wide.reason is not None:
            self._wide.served()

    def failed(self, wiki: str, error: EndpointUnavailable, began: float) -> None:
        """Note that a question about *wiki* has no answer."""
        self._failed(wiki, NO_MODEL, (), error.failure, str(error), began)

    def not_asked(self, ids: Iterable[ScoreId]) -> None:
        """Note that *ids* were not asked for after all; if they were probes, others may probe."""
        for wiki, model in {(each.wiki, each.model) for each in ids}:
            self._of(wiki, model).circuit.not_asked()
        self._wide.not_asked()

    def judged(self, answers: Mapping[ScoreId, Answer]) -> dict[ScoreId, Answer]:
        """*answers*, with a mark on those that failed through no fault of their revision."""
        return {score_id: self._judged(score_id, answer) for score_id, answer in answers.items()}

    def is_cut_off(self, wiki: str, models: Collection[str]) -> bool | None:
        """Whether nothing that *models* of *wiki* need is asked for; None if a probe is. Safe in any thread."""
        if self._wide.reason is not None:
            return True if self._wide.is_open() else None
        tries = [self._tries.get((wiki, model)) for model in models]
        circuits = [each.circuit for each in tries if each is not None and each.is_open]
        if not circuits or len(circuits) < len(tries):
            return False
        return True if all(circuit.is_open() for circuit in circuits) else None

    def _failed(
        self, wiki: str, model: str, revisions: Collection[int], failure: Failure, reason: str, began: float
    ) -> None:
        tries, now = self._of(wiki, model), self._clock()
        if failure in {Failure.THROTTLED, Failure.ELSEWHERE}:
            # It shows neither that the endpoint serves nor that it fails, not even as a probe.
            tries.circuit.not_asked()
            self._wide.not_asked()
            return
        tries.failed(revisions, failure, reason, began=began, now=now)
        if self._counts(model) and (tries.is_open or self._wide.is_probing):
            self._look_at_all(reason, now)

    def _look_at_all(self, reason: str, now: float) -> None:
        """Report if nobody is served, and ask for nothing if several wikis fail."""
        lately = {
            key: tries
            for key, tries in self._tries.items()
            if self._counts(key[1]) and now - tries.ended_at < LATELY_SECONDS
        }
        failing = {key: tries for key, tries in lately.items() if tries.is_open}
        first = min((tries.opened_at for tries in failing.values()), default=0.0)
        is_wide = self._wide.reason is not None
        if not is_wide and (2 * len(failing) <= len(lately) or self._served_at >= first):
            return
        self._tell(reason)
        if self._wide.is_probing or (not is_wide and len({wiki for wiki, _ in failing}) >= WIKIS_TO_OPEN):
            self._wide.failed(reason)

    def _counts(self, model: str) -> bool:
        """Whether the endpoint can be called out if only *model*, or only such questions, get no answers."""
        return model != NO_MODEL or not self._is_asked_for_scores

    def _may_probe(self, score_id: ScoreId, tries: Tries, probed: set[str], scored: set[int]) -> bool:
        if score_id.model in probed or (score_id.revision in scored and score_id.revision not in tries.revisions):
            return False
        return not tries.is_open or (tries.may_probe(score_id.revision) and tries.circuit.may_ask())

    def _judged(self, score_id: ScoreId, answer: Answer) -> Answer:
        if not isinstance(answer, NoAnswer) or answer.is_outage:
            return answer
        is_outage = self._of(score_id.wiki, score_id.model).is_outage(score_id.revision, answer.failure)
        return replace(answer, is_outage=is_outage)

    def _refuse(self, circuit: Circuit) -> None:
        no_answer = self._not_asked(circuit)
        raise EndpointUnavailable(no_answer.error, no_answer.failure, no_answer.retry_after)

    def _not_asked(self, circuit: Circuit) -> NoAnswer:
        # A probe that is under way ends long before it is given up.
        seconds = min(max(1.0, circuit.until_probe()), NARROW_SECONDS)
        seconds += SPREAD_SECONDS * random.random()  # noqa: S311 - spreads load
        return NoAnswer(f"not asked for, as it fails: {circuit.reason}", Failure.OUTAGE, seconds, is_outage=True)

    def _of(self, wiki: str, model: str) -> Tries:
        tries = self._tries.get((wiki, model))
        if tries is None:
            name = f"{model or 'questions'} of {wiki} at {self._endpoint}"
            circuit = Circuit(name, longest_seconds=NARROW_SECONDS, clock=self._clock)
            tries = self._tries[wiki, model] = Tries(circuit)
            if len(self._tries) > MOST_KEPT:
                self._tries.popitem(last=False)
        self._tries.move_to_end((wiki, model))
        return tries
