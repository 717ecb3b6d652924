"""One score on demand: shared with whoever else wants it, stored nowhere, announced to nobody."""

import pytest
from redis import Redis

from outbox.database import Database
from tests.builders import edits
from tests.endpoint import EmulatedEndpoint
from tests.worker.lines import count, drain, promised_events, save
from worker.bootstrap import Services
from worker.domain.errors import EndpointUnavailable, ScoreRefused
from worker.domain.scores import Score, ScoreId
from worker.emulators.scoring.endpoint import probabilities
from worker.flight.redis_tier import lease_key
from worker.scores.on_demand import score_on_demand
from worker.scores.tables import ores_classification

WANTED = ScoreId("enwiki", "damaging", 1, "0.5.1")


def asked(services: Services, score_id: ScoreId) -> Score | None:
    wiki = services.wiki(score_id.wiki)
    return services.runner.run(score_on_demand(wiki, score_id, services.flights[wiki.id], services.client))


def demand(services: Services) -> Score:
    score = services.runner.run(
        score_on_demand(services.wiki("enwiki"), WANTED, services.flights["enwiki"], services.client)
    )
    assert score is not None
    return score


def test_a_score_on_demand_is_the_endpoints_own(services: Services) -> None:
    assert demand(services).probability == probabilities(0, "enwiki", "damaging", 1)


def test_a_score_on_demand_leaves_no_row_and_no_event(services: Services, database: Database) -> None:
    demand(services)

    assert count(database, ores_classification) == 0
    assert promised_events(database) == []


def test_an_edit_that_was_drained_needs_no_call_on_demand(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    save(database, edits(1))
    drain(services)
    calls = endpoint.summary()["calls"]

    demand(services)

    assert endpoint.summary()["calls"] == calls


def test_a_score_on_demand_is_shared_with_the_drain(
    services: Services, database: Database, endpoint: EmulatedEndpoint
) -> None:
    demand(services)
    save(database, edits(1))

    drain(services)

    assert endpoint.summary()["scores"] == 2
    assert endpoint.summary()["distinct_scores"] == 2


def test_a_revision_that_is_gone_is_refused_by_its_score_id(services: Services, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(missing_revisions=[1])

    with pytest.raises(ScoreRefused, match=f"^{WANTED}: RevisionNotFound: "):
        demand(services)


def test_an_endpoint_that_is_down_is_unavailable_by_the_score_id(
    services: Services, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(failures={"rate": 1, "status": 503})

    with pytest.raises(EndpointUnavailable, match=f"^{WANTED}: .*status 503"):
        demand(services)


def test_a_score_that_somebody_else_computes_is_not_waited_for(services: Services, redis: Redis) -> None:
    redis.set(lease_key(WANTED), "token of somebody", px=60_000)

    assert (
        services.runner.run(
            score_on_demand(services.wiki("enwiki"), WANTED, services.flights["enwiki"], services.client)
        )
        is None
    )


def test_a_model_that_the_wiki_does_not_have_is_refused_by_its_setting(services: Services) -> None:
    unknown = ScoreId("enwiki", "magic", 1, "1")

    with pytest.raises(ScoreRefused, match=r"wikis\.enwiki\.models"):
        services.runner.run(
            score_on_demand(services.wiki("enwiki"), unknown, services.flights["enwiki"], services.client)
        )
