"""Two workers that check the model versions at the same moment agree."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import pytest

from outbox.database import Database
from tests.builders import some_settings
from tests.endpoint import EmulatedEndpoint
from tests.worker.conftest import BuildServices
from tests.worker.upkeep.looking import (
    NEW,
    OLD,
    current_versions,
    gaps,
    let_settle,
    look,
    stored_models,
    wait_for_a_lock,
    waiting,
)
from worker.bootstrap import Services, build_services
from worker.scores.candidates import Finding, apply, candidates, lock_models
from worker.upkeep.versions import ModelCheck

Pair = Sequence[Services]


@pytest.fixture
def pair(services_for: BuildServices) -> Pair:
    """The services of two workers."""
    return [services_for() for _ in range(2)]


def at_once(pair: Pair) -> list[dict[str, ModelCheck]]:
    """A look of each, begun together."""
    barrier = Barrier(len(pair))

    def begin(services: Services) -> dict[str, ModelCheck]:
        barrier.wait()
        return look(services)

    with ThreadPoolExecutor(len(pair)) as pool:
        return list(pool.map(begin, pair))


def test_the_first_looks_of_two_workers_leave_one_current_version_a_model(pair: Pair, database: Database) -> None:
    at_once(pair)

    assert current_versions(database) == [("damaging", OLD), ("goodfaith", OLD)]
    assert len(stored_models(database)) == 2


def test_two_workers_that_find_a_new_version_leave_one_candidate(
    pair: Pair, database: Database, endpoint: EmulatedEndpoint
) -> None:
    look(pair[0])
    endpoint.set(versions={"damaging": NEW})

    assert {checks["damaging"].finding for checks in at_once(pair)} == {Finding.WAITING}
    assert waiting(database) == {"damaging": NEW}


def test_of_two_workers_one_makes_a_new_version_current_and_the_other_finds_it_so(
    pair: Pair, database: Database, endpoint: EmulatedEndpoint
) -> None:
    look(pair[0])
    endpoint.set(versions={"damaging": NEW})
    look(pair[0])
    let_settle(database)

    said = [checks["damaging"].finding for checks in at_once(pair)]

    assert sorted(said) == [Finding.CHANGED, Finding.UNCHANGED]
    assert current_versions(database) == [("damaging", NEW), ("goodfaith", OLD)]
    assert waiting(database) == {}


def test_two_workers_that_look_again_and_again_burn_no_number(
    pair: Pair, database: Database, endpoint: EmulatedEndpoint
) -> None:
    look(pair[0])
    for version in (NEW, "0.7.0", OLD, "0.8.0"):
        endpoint.set(versions={"damaging": version})
        at_once(pair)
        let_settle(database)
        at_once(pair)

    ids = [model.id for model in stored_models(database)]
    assert len(ids) == 5
    assert gaps(ids) == set()
    assert current_versions(database) == [("damaging", "0.8.0"), ("goodfaith", OLD)]


def test_a_worker_that_was_told_the_old_version_last_takes_nothing_back(
    pair: Pair, database: Database, endpoint: EmulatedEndpoint
) -> None:
    look(pair[0])
    endpoint.set(versions={"damaging": NEW})
    look(pair[0])
    let_settle(database)
    look(pair[0])
    # One more look finds replicas that were left behind.
    endpoint.set(versions={"damaging": OLD})

    assert look(pair[1])["damaging"].finding is Finding.WAITING
    assert current_versions(database) == [("damaging", NEW), ("goodfaith", OLD)]


def test_a_look_waits_for_the_end_of_one_that_is_deciding(
    mariadb: Database, redis_url: str, endpoint: EmulatedEndpoint
) -> None:
    settings = some_settings(
        database_url=mariadb.url.render_as_string(hide_password=False), redis_url=redis_url, scoring_url=endpoint.url
    )
    with closing(build_services(settings)) as services, ThreadPoolExecutor() as pool:
        look(services)
        endpoint.set(versions={"damaging": NEW})
        look(services)
        let_settle(mariadb)
        with mariadb.transaction() as session:
            lock_models(session, ["damaging", "goodfaith"])
            apply(session, "damaging", Finding.CHANGED, NEW, candidates(session)["damaging"])
            other = pool.submit(look, services)
            wait_for_a_lock(mariadb)
        checks = other.result()

    assert checks["damaging"].finding is Finding.UNCHANGED
    assert current_versions(mariadb) == [("damaging", NEW), ("goodfaith", OLD)]
