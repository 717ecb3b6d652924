"""A look at the model versions that Lift Wing runs, which only a score tells."""

from collections import Counter

import pytest

from outbox.database import Database
from tests.builders import edits
from tests.endpoint import EmulatedEndpoint
from tests.worker.asking import RISK
from tests.worker.conftest import BuildServices
from tests.worker.lines import save
from tests.worker.upkeep.looking import NEW, OLD, current_versions, findings, let_settle, look, waiting
from worker.bootstrap import Services
from worker.demo.processes import free_port
from worker.domain.errors import EndpointUnavailable
from worker.scores.candidates import Finding

LIFT_WING = {"kind": "lift_wing"}
SERVER = "revertrisk-language-agnostic"


@pytest.fixture
def services(services_for: BuildServices) -> Services:
    return services_for(models=["damaging", RISK], endpoint=LIFT_WING)


def test_a_look_scores_edits_of_the_wiki_to_find_out(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(3))

    assert findings(services) == {"damaging": Finding.CHANGED, RISK: Finding.CHANGED}
    assert current_versions(database) == [("damaging", OLD), (RISK, "3")]
    assert {revision for call in endpoint.calls() for revision in call["revisions"]} == {1, 2, 3}


def test_a_look_is_many_calls_so_that_several_replicas_answer(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(3))
    look(services)
    endpoint.reset()

    checks = look(services)

    assert {model: sum(check.seen.values()) for model, check in checks.items()} == {"damaging": 5, RISK: 5}
    assert Counter(call["models"][0] for call in endpoint.calls()) == {"damaging": 5, SERVER: 5}


def test_a_new_version_waits_and_wins(services: Services, database: Database, endpoint: EmulatedEndpoint) -> None:
    save(database, edits(3))
    look(services)
    endpoint.set(versions={SERVER: "4"})

    assert findings(services) == {"damaging": Finding.UNCHANGED, RISK: Finding.WAITING}
    let_settle(database)

    assert findings(services) == {"damaging": Finding.UNCHANGED, RISK: Finding.CHANGED}
    assert current_versions(database) == [("damaging", OLD), (RISK, "4")]


def test_mixed_replicas_change_nothing(services: Services, database: Database, endpoint: EmulatedEndpoint) -> None:
    save(database, edits(3))
    look(services)
    endpoint.set(version_mix={"damaging": {OLD: 1, NEW: 1}})

    assert findings(services)["damaging"] is Finding.MIXED
    assert current_versions(database) == [("damaging", OLD), (RISK, "3")]
    assert waiting(database) == {}


def test_a_wiki_without_edits_learns_no_version_and_keeps_what_it_has(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    # What a Lift Wing says of the revision that no wiki has.
    endpoint.set(missing_revisions=[0])

    assert findings(services) == {"damaging": Finding.NOT_TOLD, RISK: Finding.NOT_TOLD}
    assert current_versions(database) == []


def test_a_model_that_no_edit_at_hand_suits_costs_no_other_its_look(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    # Revert risk is of articles only.
    save(database, edits(3, namespace=2))
    endpoint.set(missing_revisions=[0])

    assert findings(services) == {"damaging": Finding.CHANGED, RISK: Finding.NOT_TOLD}


def test_a_revision_that_is_gone_costs_one_reply_and_no_version(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(5))
    look(services)
    endpoint.set(missing_revisions=[3])

    checks = look(services)

    assert (checks["damaging"].seen, checks[RISK].seen) == ({OLD: 4}, {"3": 4})
    assert current_versions(database) == [("damaging", OLD), (RISK, "3")]


def test_a_server_that_vanished_keeps_its_version_and_costs_no_other_its_look(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(3))
    look(services)
    endpoint.set(vanished_models=["damaging"], versions={SERVER: "4"})

    assert findings(services) == {"damaging": Finding.NOT_TOLD, RISK: Finding.WAITING}
    assert current_versions(database) == [("damaging", OLD), (RISK, "3")]


@pytest.mark.parametrize("status", [500, 503])
def test_an_endpoint_that_fails_every_call_changes_nothing_and_is_told(
    services: Services, database: Database, endpoint: EmulatedEndpoint, status: int
) -> None:
    save(database, edits(3))
    look(services)
    endpoint.set(versions={"damaging": NEW}, failures={"rate": 1, "status": status})

    with pytest.raises(EndpointUnavailable):
        look(services)

    assert current_versions(database) == [("damaging", OLD), (RISK, "3")]
    assert waiting(database) == {}


def test_an_endpoint_that_is_gone_changes_nothing_and_is_told(
    services: Services, services_for: BuildServices, database: Database
) -> None:
    save(database, edits(3))
    look(services)
    gone = services_for(models=["damaging", RISK], endpoint=LIFT_WING, scoring_url=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(EndpointUnavailable):
        look(gone)

    assert current_versions(database) == [("damaging", OLD), (RISK, "3")]


def test_calls_that_fail_now_and_then_cost_replies_and_no_version(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(3))
    endpoint.set(failures={"rate": 0.3, "status": 500})

    assert findings(services) == {"damaging": Finding.CHANGED, RISK: Finding.CHANGED}
