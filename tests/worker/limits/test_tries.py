"""Whether the endpoint fails, or an edit: told from the tries at one model of one wiki."""

import pytest

from tests.clock import Clock
from worker.domain.failures import Failure
from worker.endpoints.tries import MOST_REVISIONS, SERVES_SECONDS, TRIES_OF_ONE, TRIES_TO_OPEN, Tries
from worker.lanes.circuits import Circuit

OF_THE_REPLY = [Failure.TRANSIENT, Failure.LATE]


class Asked:
    """Tries at a clock of our own; each takes a second."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.tries = Tries(Circuit("damaging of enwiki", clock=self.clock))
        self.serve()

    def serve(self) -> None:
        self.clock.now += 1
        self.tries.served(self.clock())

    def fail(self, *revisions: int, failure: Failure = Failure.TRANSIENT) -> None:
        self.clock.now += 1
        began = self.clock()
        self.clock.now += 1
        self.tries.failed(revisions, failure, "status 500", began=began, now=self.clock())


@pytest.mark.parametrize("failure", OF_THE_REPLY)
def test_one_revision_that_fails_where_others_are_served_is_at_fault_itself(failure: Failure) -> None:
    asked = Asked()
    asked.fail(1, failure=failure)
    asked.serve()

    assert not asked.tries.is_outage(1, failure)


@pytest.mark.parametrize("failure", OF_THE_REPLY)
def test_several_revisions_that_fail_with_nobody_served_are_not_at_fault(failure: Failure) -> None:
    asked = Asked()
    asked.fail(1, failure=failure)
    asked.fail(2, failure=failure)

    assert asked.tries.is_outage(1, failure)
    assert asked.tries.is_outage(2, failure)


@pytest.mark.parametrize("failure", OF_THE_REPLY)
def test_one_revision_alone_is_not_at_fault_after_it_failed_several_times_with_nobody_served(failure: Failure) -> None:
    asked = Asked()
    for _ in range(TRIES_OF_ONE - 1):
        asked.fail(1, failure=failure)
    early = asked.tries.is_outage(1, failure)
    asked.fail(1, failure=failure)

    assert not early
    assert asked.tries.is_outage(1, failure)


def test_no_connection_is_never_the_fault_of_the_revision_that_met_it_first() -> None:
    asked = Asked()
    asked.fail(1, failure=Failure.OUTAGE)

    assert asked.tries.is_outage(1, Failure.OUTAGE)


def test_who_is_served_a_moment_later_changes_nothing_about_an_outage_that_a_revision_met() -> None:
    asked = Asked()
    asked.fail(1, failure=Failure.OUTAGE)
    asked.serve()

    assert asked.tries.is_outage(1, Failure.OUTAGE)


def test_a_revision_nobody_asked_for_is_in_no_outage() -> None:
    assert not Asked().tries.is_outage(1, Failure.TRANSIENT)


@pytest.mark.parametrize("failure", [Failure.LATE, Failure.OUTAGE])
def test_failures_in_a_row_open_the_circuit_and_one_less_does_not(failure: Failure) -> None:
    asked = Asked()
    for _ in range(TRIES_TO_OPEN - 1):
        asked.fail(1, failure=failure)
    early = asked.tries.is_open
    asked.fail(1, failure=failure)

    assert not early
    assert asked.tries.is_open


def test_one_revision_that_gets_error_replies_again_and_again_opens_no_circuit() -> None:
    asked = Asked()
    for _ in range(4 * TRIES_TO_OPEN):
        asked.fail(1)

    assert not asked.tries.is_open


def test_being_served_closes_the_circuit_and_starts_the_count_anew() -> None:
    asked = Asked()
    for revision in range(TRIES_TO_OPEN):
        asked.fail(revision)
    was_open = asked.tries.is_open
    asked.serve()
    asked.fail(7)

    assert was_open
    assert not asked.tries.is_open


@pytest.mark.parametrize(("idle", "opens"), [(0.0, False), (2 * SERVES_SECONDS, True)])
def test_one_refusal_opens_the_circuit_only_where_nobody_was_served_lately(idle: float, *, opens: bool) -> None:
    asked = Asked()
    asked.clock.now += idle
    asked.fail(1, failure=Failure.REFUSED)

    assert asked.tries.is_open is opens


def test_a_failed_probe_keeps_the_circuit_open_for_longer() -> None:
    asked = Asked()
    for revision in range(TRIES_TO_OPEN):
        asked.fail(revision)
    first = asked.tries.circuit.until_probe()
    asked.clock.now += first
    assert asked.tries.circuit.may_ask()
    asked.fail(9)

    assert asked.tries.is_open
    assert asked.tries.circuit.until_probe() > first


def test_a_revision_that_failed_often_probes_later_than_one_that_never_did() -> None:
    asked = Asked()
    for _ in range(TRIES_TO_OPEN):
        asked.fail(1, failure=Failure.LATE)
    asked.clock.now += asked.tries.circuit.until_probe()

    assert asked.tries.may_probe(2)
    assert not asked.tries.may_probe(1)
    asked.clock.now += TRIES_TO_OPEN
    assert asked.tries.may_probe(1)


def test_the_revisions_kept_in_mind_are_bounded() -> None:
    asked = Asked()
    for revision in range(3 * MOST_REVISIONS):
        asked.fail(revision)

    assert len(asked.tries.revisions) == MOST_REVISIONS
