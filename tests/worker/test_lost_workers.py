"""What is left when a worker dies or loses its lease or its Redis: nothing lost, nothing twice."""

import pytest
from redis import Redis
from structlog.testing import capture_logs

from outbox import EDITS
from outbox.database import Database
from tests.builders import edits
from tests.endpoint import EmulatedEndpoint
from tests.event_files import events_in
from tests.worker.conftest import BuildServices
from tests.worker.interrupted import interrupted
from tests.worker.lines import (
    claim_all,
    claim_edits,
    classified_revisions,
    count,
    drain,
    let_leases_run_out,
    promised_events,
    publish,
    save,
    score,
    status,
)
from worker.bootstrap import Services
from worker.domain.scores import ScoreId
from worker.events.file_sink import FILE, FileSection
from worker.events.outcomes import read_events
from worker.scores.tables import ores_classification


class WorkerDied(BaseException):
    """No error of an endpoint, and nothing that ends the event loop of this test."""


def test_a_lease_that_is_lost_before_the_settlement_writes_nothing(services: Services, database: Database) -> None:
    save(database, edits(5))

    def lose_it() -> None:
        let_leases_run_out(database, EDITS)
        claim_all(database, EDITS)

    here = interrupted(services, lose_it)
    wiki = services.wiki("enwiki")
    with capture_logs() as logs:
        score(here, wiki, claim_edits(wiki))

    assert promised_events(database) == []
    assert count(database, ores_classification) == 0
    assert status(database, EDITS).claimed == 5
    assert [len(line["messages"]) for line in logs if line["event"] == "lease_lost"] == [5]


def test_only_the_edits_whose_lease_was_lost_are_left_out(services: Services, database: Database) -> None:
    save(database, edits(5))
    wiki = services.wiki("enwiki")
    claims = claim_edits(wiki)

    def lose_the_last() -> None:
        with database.transaction() as session:
            last = EDITS.messages.c.id == claims[-1].message
            session.execute(EDITS.messages.update().where(last).values(lease_token="0" * 32))

    score(interrupted(services, lose_the_last), services.wiki("enwiki"), claims)

    assert sorted(event["rev_id"] for event in promised_events(database)) == [1, 2, 3, 4]
    assert classified_revisions(database) == {1, 2, 3, 4}
    assert status(database, EDITS).claimed == 1


def test_a_lease_that_ran_out_but_that_nobody_took_still_settles(services: Services, database: Database) -> None:
    save(database, edits(5))
    here = interrupted(services, lambda: let_leases_run_out(database, EDITS))
    wiki = services.wiki("enwiki")

    score(here, wiki, claim_edits(wiki))

    assert len(promised_events(database)) == 5
    assert status(database, EDITS).pending == 0


def test_a_worker_that_dies_before_the_settlement_leaves_everything_to_the_next(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(20))

    def die() -> None:
        raise WorkerDied

    here = interrupted(services, die)
    wiki = services.wiki("enwiki")
    with pytest.raises(WorkerDied):
        score(here, wiki, claim_edits(wiki))
    assert status(database, EDITS).claimed == 20
    assert promised_events(database) == []

    let_leases_run_out(database, EDITS)
    drain(services)

    assert sorted(event["rev_id"] for event in promised_events(database)) == list(range(1, 21))
    assert count(database, ores_classification) == 40


def test_scores_that_a_dead_worker_had_already_shared_are_not_called_again(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(20))
    wiki = services.wiki("enwiki")
    claim_edits(wiki)
    wanted = [ScoreId("enwiki", model, n, "0.5.1") for n in range(1, 21) for model in ("damaging", "goodfaith")]
    services.runner.run(services.flights["enwiki"].scores(wanted, services.client.score))
    let_leases_run_out(database, EDITS)

    drain(services)

    assert len(promised_events(database)) == 20
    assert endpoint.summary()["scores"] == 40


def test_redis_emptied_between_two_batches_changes_no_row_and_no_event(
    services_for: BuildServices, database: Database, redis: Redis
) -> None:
    services = services_for(outbox={"batch_size": 10})
    save(database, edits(30))

    def empty_it() -> None:
        redis.flushall()

    drain(interrupted(services, empty_it))

    assert sorted(event["rev_id"] for event in promised_events(database)) == list(range(1, 31))
    assert count(database, ores_classification) == 60


def test_without_redis_everything_is_scored_and_announced(
    services_for: BuildServices, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(30))

    drain(services_for(redis_url="redis://127.0.0.1:1/0"))

    assert len(promised_events(database)) == 30
    assert count(database, ores_classification) == 60
    assert endpoint.summary()["scores"] == 60


def sent_ids(services: Services) -> list[str]:
    section = services.settings.sinks.named["file"]
    assert isinstance(section, FileSection)
    return [event["meta"]["id"] for event in events_in(section.directory)]


def test_a_publisher_that_dies_after_the_sink_took_its_events_costs_repetitions_of_the_same_ids(
    services: Services, database: Database
) -> None:
    save(database, edits(3))
    drain(services)
    claims = claim_all(database, FILE.lane)
    events, _ = read_events(claims, 8)
    services.sinks["file"].send(list(events.values()))
    let_leases_run_out(database, FILE.lane)

    publish(services)

    assert len(sent_ids(services)) == 6
    assert len(set(sent_ids(services))) == 3
    assert status(database, FILE.lane).pending == 0


def test_a_publisher_whose_lease_is_somebody_elses_by_now_settles_nothing(
    services: Services, database: Database
) -> None:
    save(database, edits(3))
    drain(services)
    claims = claim_all(database, FILE.lane)
    let_leases_run_out(database, FILE.lane)
    claim_all(database, FILE.lane)

    services.runner.run(services.consumers[FILE.lane.name].work(services.wiki("enwiki"), claims))

    assert status(database, FILE.lane).claimed == 3
