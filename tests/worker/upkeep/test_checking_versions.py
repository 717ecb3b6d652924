"""A look at the model versions that ORES runs: what becomes current, and when not."""

import dataclasses
from collections import Counter

import pytest

from outbox.database import Database
from tests.builders import edits
from tests.endpoint import EmulatedEndpoint
from tests.worker.conftest import BuildServices
from tests.worker.lines import drain, save, statements
from tests.worker.upkeep.looking import (
    NEW,
    OLD,
    current_versions,
    findings,
    gaps,
    let_pass,
    let_settle,
    look,
    rows_of_versions,
    stored_models,
    waiting,
)
from worker.bootstrap import Services
from worker.demo.processes import free_port
from worker.domain.errors import EndpointUnavailable
from worker.scores.candidates import Finding, candidates
from worker.upkeep.versions import check_model_versions, has_changed

BOTH_OLD = [("damaging", OLD), ("goodfaith", OLD)]
DAMAGING_NEW = [("damaging", NEW), ("goodfaith", OLD)]


@pytest.fixture
def known(services: Services) -> Services:
    """Services of a wiki that has looked once, so that 0.5.1 of both models is current."""
    look(services)
    return services


def deploy(endpoint: EmulatedEndpoint, version: str = NEW) -> None:
    endpoint.set(versions={"damaging": version})


def test_the_first_look_makes_every_models_version_current_at_once(services: Services, database: Database) -> None:
    assert findings(services) == {"damaging": Finding.CHANGED, "goodfaith": Finding.CHANGED}
    assert current_versions(database) == BOTH_OLD


def test_the_first_version_of_a_model_leaves_no_rows_out_of_sight(services: Services) -> None:
    assert not has_changed(list(look(services).values()))


def test_a_look_that_finds_nothing_new_writes_nothing(known: Services) -> None:
    with statements(known.wiki("enwiki").database) as seen:
        assert set(findings(known).values()) == {Finding.UNCHANGED}

    assert {statement.split()[0] for statement in seen} == {"SELECT"}


def test_a_new_version_waits(known: Services, database: Database, endpoint: EmulatedEndpoint) -> None:
    deploy(endpoint)

    assert findings(known) == {"damaging": Finding.WAITING, "goodfaith": Finding.UNCHANGED}
    assert current_versions(database) == BOTH_OLD
    assert waiting(database) == {"damaging": NEW}


def test_a_new_version_wins_once_it_has_waited_long_enough(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    deploy(endpoint)
    look(known)
    let_pass(database, known.settings.upkeep.settle_seconds)

    checks = look(known)

    assert (checks["damaging"].finding, checks["damaging"].before, checks["damaging"].version) == (
        Finding.CHANGED,
        OLD,
        NEW,
    )
    assert has_changed(list(checks.values()))
    assert current_versions(database) == DAMAGING_NEW
    assert waiting(database) == {}


def test_a_new_version_still_waits_shortly_before(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    deploy(endpoint)
    look(known)
    let_pass(database, known.settings.upkeep.settle_seconds - 60)

    assert findings(known)["damaging"] is Finding.WAITING
    assert current_versions(database) == BOTH_OLD


def test_a_further_look_does_not_begin_the_wait_anew(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    deploy(endpoint)
    look(known)
    let_pass(database, 200)

    look(known)

    assert database.run(candidates)["damaging"].seconds >= 200


def test_a_new_version_that_goes_away_again_is_forgotten(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    deploy(endpoint)
    look(known)
    let_settle(database)
    deploy(endpoint, OLD)

    assert findings(known)["damaging"] is Finding.UNCHANGED
    assert waiting(database) == {}
    assert current_versions(database) == BOTH_OLD


def test_another_new_version_waits_from_its_own_first_look(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    deploy(endpoint)
    look(known)
    let_settle(database)
    deploy(endpoint, "0.7.0")

    assert findings(known)["damaging"] is Finding.WAITING
    assert waiting(database) == {"damaging": "0.7.0"}
    assert database.run(candidates)["damaging"].seconds < 60


def test_without_a_time_to_settle_a_new_version_wins_at_its_first_look(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint
) -> None:
    services = services_for(upkeep={"settle_seconds": 0})
    look(services)
    deploy(endpoint)

    # What is a candidate since this moment is one for no time at all.
    assert findings(services)["damaging"] is Finding.CHANGED
    assert current_versions(database) == DAMAGING_NEW


def test_mixed_replicas_change_nothing_however_often_they_are_looked_at(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(version_mix={"damaging": {OLD: 1, NEW: 1}})

    for _ in range(10):
        assert findings(known)["damaging"] is not Finding.CHANGED
        if waiting(database):
            let_pass(database, 60)

    assert current_versions(database) == BOTH_OLD


def test_replies_that_differ_are_looked_at_more_closely(known: Services, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(version_mix={"damaging": {OLD: 1, NEW: 1}})

    checks = look(known)

    assert checks["damaging"].finding is Finding.MIXED
    assert checks["damaging"].seen.keys() == {OLD, NEW}
    assert sum(checks["damaging"].seen.values()) == 4 * known.settings.upkeep.replies
    assert checks["goodfaith"].seen == Counter({OLD: known.settings.upkeep.replies})


def test_a_mixed_look_begins_the_wait_anew(known: Services, database: Database, endpoint: EmulatedEndpoint) -> None:
    deploy(endpoint)
    look(known)
    let_settle(database)
    endpoint.set(version_mix={"damaging": {OLD: 1, NEW: 1}})

    assert findings(known)["damaging"] is Finding.MIXED
    assert waiting(database) == {}


def test_the_last_replicas_of_an_old_version_hold_up_nobody(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(version_mix={"damaging": {OLD: 1, NEW: 19}})
    look(known)
    let_settle(database)

    look(known)

    assert current_versions(database) == DAMAGING_NEW


def test_nonsense_in_place_of_versions_changes_nothing_and_is_told(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    deploy(endpoint)
    look(known)
    let_settle(database)
    endpoint.set(broken_info=True)

    assert findings(known) == {"damaging": Finding.NOT_TOLD, "goodfaith": Finding.NOT_TOLD}
    assert current_versions(database) == BOTH_OLD
    assert waiting(database) == {"damaging": NEW}


def test_an_endpoint_that_is_gone_changes_nothing_and_is_told(
    known: Services, services_for: BuildServices, database: Database
) -> None:
    gone = services_for(scoring_url=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(EndpointUnavailable):
        look(gone)

    assert current_versions(database) == BOTH_OLD


def test_a_model_that_vanished_keeps_its_version_and_its_rows(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(3))
    drain(known)
    endpoint.set(vanished_models=["damaging"])

    assert findings(known)["damaging"] is Finding.NOT_TOLD
    assert current_versions(database) == BOTH_OLD
    assert rows_of_versions(database)["damaging", OLD] == 3


def test_beside_a_model_that_vanished_the_others_are_looked_at(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(vanished_models=["damaging"], versions={"goodfaith": NEW})
    look(known)
    let_settle(database)

    assert findings(known) == {"damaging": Finding.NOT_TOLD, "goodfaith": Finding.CHANGED}
    assert current_versions(database) == [("damaging", OLD), ("goodfaith", NEW)]


def test_a_dry_run_tells_what_a_look_would_find_and_writes_nothing(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    deploy(endpoint)
    look(known)
    let_settle(database)

    with statements(known.wiki("enwiki").database) as seen:
        checks = look(known, dry_run=True)

    assert checks["damaging"].finding is Finding.CHANGED
    assert {statement.split()[0] for statement in seen} == {"SELECT"}
    assert current_versions(database) == BOTH_OLD


def test_a_model_that_is_switched_off_is_not_looked_at(services: Services, database: Database) -> None:
    wiki = services.wiki("enwiki")
    off = wiki.models["damaging"].model_copy(update={"enabled": False})
    changed = dataclasses.replace(wiki, models={**wiki.models, "damaging": off})

    checks = services.runner.run(check_model_versions(changed, services.client, services.settings.upkeep))

    assert [check.model for check in checks] == ["goodfaith"]
    assert current_versions(database) == [("goodfaith", OLD)]


def test_an_older_version_that_comes_back_has_the_number_it_had(
    known: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    before = {model.version: model.id for model in stored_models(database) if model.name == "damaging"}
    for version in (NEW, OLD):
        deploy(endpoint, version)
        look(known)
        let_settle(database)
        look(known)

    assert current_versions(database) == BOTH_OLD
    after = {model.version: model.id for model in stored_models(database) if model.name == "damaging"}
    assert after.keys() == {OLD, NEW}
    assert after[OLD] == before[OLD]


def test_however_many_looks_burn_no_number(known: Services, database: Database, endpoint: EmulatedEndpoint) -> None:
    for version in (NEW, "0.7.0", NEW, "0.8.0", OLD, "0.9.0"):
        deploy(endpoint, version)
        look(known)
        let_settle(database)
        look(known)

    ids = [model.id for model in stored_models(database)]
    assert len(ids) == 6
    assert gaps(ids) == set()
    assert current_versions(database) == [("damaging", "0.9.0"), ("goodfaith", OLD)]
