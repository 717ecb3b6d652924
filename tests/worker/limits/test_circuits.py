"""Circuits as narrow as the fault: which scores an endpoint is asked for, by what became of those before."""

from collections.abc import Iterator, Sequence

import pytest
from structlog.testing import capture_logs

from tests.builders import a_score
from tests.clock import Clock
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.domain.scores import NoAnswer, ScoreId
from worker.endpoints.circuits import MOST_KEPT, NARROW_SECONDS, SPREAD_SECONDS, WIKIS_TO_OPEN, Circuits
from worker.endpoints.tries import TRIES_TO_OPEN


def ids(wiki: str = "enwiki", models: Sequence[str] = ("damaging", "goodfaith"), first: int = 1) -> list[ScoreId]:
    return [ScoreId(wiki, model, revision, "1") for revision in range(first, first + 3) for model in models]


class Asking:
    """What is admitted, with an end for each; some models of some wikis fail."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.notices: list[str] = []
        self.circuits = Circuits("http://scores.test", self.notices.append, clock=self.clock)

    def serve(self, wanted: Sequence[ScoreId]) -> None:
        self.circuits.answered({each: a_score(model=each.model) for each in wanted}, self.clock())

    def fail(self, wanted: Sequence[ScoreId], failure: Failure = Failure.OUTAGE) -> None:
        self.circuits.unanswered(wanted, EndpointUnavailable("status 503", failure), self.clock())

    def break_down(self, wiki: str, *models: str) -> None:
        for _ in range(TRIES_TO_OPEN):
            self.fail(ids(wiki, models))

    def admitted(self, wanted: Sequence[ScoreId]) -> set[str]:
        return {each.model for each in self.circuits.admit(wanted).asked}


@pytest.fixture
def asking() -> Iterator[Asking]:
    with capture_logs():
        yield Asking()


def test_one_model_that_is_out_leaves_the_others_of_its_wiki_and_other_wikis_alone(asking: Asking) -> None:
    asking.serve(ids())
    asking.break_down("enwiki", "damaging")

    assert asking.admitted(ids()) == {"goodfaith"}
    assert asking.admitted(ids("dewiki")) == {"damaging", "goodfaith"}


def test_what_is_not_asked_for_is_told_to_come_back_after_the_next_probe_and_burns_nothing(asking: Asking) -> None:
    asking.serve(ids())
    asking.break_down("enwiki", "damaging")
    cut_off = asking.circuits.admit(ids()).cut_off

    assert {each.model for each in cut_off} == {"damaging"}
    for answer in cut_off.values():
        assert isinstance(answer, NoAnswer)
        assert answer.is_outage
        assert answer.retry_after is not None
        assert answer.retry_after >= 1.0
        assert "status 503" in answer.error


def test_one_revision_at_a_time_probes_an_open_circuit_once_it_is_due(asking: Asking) -> None:
    asking.serve(ids())
    asking.break_down("enwiki", "damaging", "goodfaith")
    asking.clock.now += NARROW_SECONDS
    first, second = asking.circuits.admit(ids(first=100)), asking.circuits.admit(ids(first=200))

    assert [each.model for each in first.probes] == ["damaging", "goodfaith"]
    assert not first.asked
    assert not second.probes


def test_what_comes_while_a_probe_is_under_way_comes_back_soon(asking: Asking) -> None:
    asking.serve(ids())
    asking.break_down("enwiki", "damaging")
    asking.clock.now += NARROW_SECONDS
    asking.circuits.admit(ids(models=["damaging"], first=100))
    later = asking.circuits.admit(ids(models=["damaging"], first=200)).cut_off

    assert later
    for answer in later.values():
        assert isinstance(answer, NoAnswer)
        assert (answer.retry_after or 0.0) <= NARROW_SECONDS + SPREAD_SECONDS


def test_a_probe_that_is_served_lets_all_be_asked_for_again(asking: Asking) -> None:
    asking.serve(ids())
    asking.break_down("enwiki", "damaging")
    asking.clock.now += NARROW_SECONDS
    asking.serve(asking.circuits.admit(ids(models=["damaging"], first=100)).probes)

    assert asking.admitted(ids()) == {"damaging", "goodfaith"}


def test_a_probe_that_was_not_sent_is_given_to_another(asking: Asking) -> None:
    asking.serve(ids())
    asking.break_down("enwiki", "damaging")
    asking.clock.now += NARROW_SECONDS
    asking.circuits.not_asked(asking.circuits.admit(ids(models=["damaging"], first=100)).probes)

    assert len(asking.circuits.admit(ids(models=["damaging"], first=200)).probes) == 1


def test_where_most_of_several_wikis_are_out_nobody_is_asked_for(asking: Asking) -> None:
    for number in range(WIKIS_TO_OPEN):
        asking.break_down(f"wiki{number}", "damaging")

    assert asking.admitted(ids("another")) == set()
    assert asking.notices
    assert "status 503" in asking.notices[-1]


def test_while_another_wiki_is_served_nobody_else_is_left_unasked(asking: Asking) -> None:
    for number in range(WIKIS_TO_OPEN):
        asking.break_down(f"wiki{number}", "damaging")
        asking.serve(ids("served"))

    assert asking.admitted(ids("another")) == {"damaging", "goodfaith"}


def test_one_answer_ends_the_outage_of_all_but_those_who_still_fail(asking: Asking) -> None:
    for number in range(WIKIS_TO_OPEN):
        asking.break_down(f"wiki{number}", "damaging")
    asking.clock.now += NARROW_SECONDS
    (probe,) = asking.circuits.admit(ids("another", ["damaging"])).probes
    asking.serve([probe])

    assert asking.admitted(ids("another")) == {"damaging", "goodfaith"}
    assert asking.admitted(ids("wiki0", ["damaging"])) == set()


def test_being_throttled_opens_nothing(asking: Asking) -> None:
    for _ in range(3 * TRIES_TO_OPEN):
        asking.fail(ids(), Failure.THROTTLED)

    assert asking.admitted(ids()) == {"damaging", "goodfaith"}


def test_a_question_about_a_wiki_has_a_circuit_of_its_own(asking: Asking) -> None:
    refused = EndpointUnavailable("status 404", Failure.REFUSED)
    asking.serve(ids())
    asking.clock.now += 60
    asking.circuits.admit_question("enwiki")
    asking.circuits.failed("enwiki", refused, asking.clock())

    with pytest.raises(EndpointUnavailable, match="status 404"):
        asking.circuits.admit_question("enwiki")
    asking.circuits.admit_question("dewiki")
    assert asking.admitted(ids()) == {"damaging", "goodfaith"}


@pytest.mark.parametrize(
    ("models", "later", "is_cut_off"),
    [(["damaging"], 0, True), (["damaging", "goodfaith"], 0, False), (["damaging"], NARROW_SECONDS, None)],
)
def test_a_wiki_all_of_whose_models_are_out_is_told_to_be_left_alone_until_a_probe_is_due(
    asking: Asking, models: list[str], later: float, *, is_cut_off: bool | None
) -> None:
    asking.serve(ids())
    asking.break_down("enwiki", "damaging")
    asking.clock.now += later

    assert asking.circuits.is_cut_off("enwiki", models) is is_cut_off


def test_what_is_kept_in_mind_is_bounded(asking: Asking) -> None:
    for number in range(2 * MOST_KEPT):
        asking.serve([ScoreId(f"wiki{number}", "damaging", 1, "1")])

    assert len(asking.circuits._tries) == MOST_KEPT
