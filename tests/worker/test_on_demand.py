"""One score on demand: shared with whoever else wants it, stored nowhere, announced to nobody."""

from dataclasses import replace
from typing import NoReturn

import pytest
from redis import Redis

from outbox.database import Database
from outbox.errors import DatabaseUnavailable
from tests.builders import edits
from tests.endpoint import EmulatedEndpoint
from tests.worker.lines import count, drain, promised_events, save
from worker.bootstrap import Services
from worker.domain.errors import EndpointUnavailable, ScoreRefused
from worker.domain.failures import Failure
from worker.domain.scores import NoAnswer, Score, ScoreId
from worker.emulators.scoring.endpoint import probabilities
from worker.endpoints.in_loop import ClientInLoop
from worker.flight.redis_tier import lease_key
from worker.scores import on_demand
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


def fail(*_: object) -> NoReturn:
    raise RuntimeError("nobody foresaw this")


def test_an_error_that_nobody_foresaw_is_handed_over_to_those_who_wait(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClientInLoop, "score", fail)

    with pytest.raises(RuntimeError, match="nobody foresaw this"):
        demand(services)

    end = services.flights["enwiki"].ends([WANTED])[WANTED]
    assert end.answer == NoAnswer("a worker failed (RuntimeError); see its log", Failure.TRANSIENT)
    assert end.holder is not None


def test_a_database_that_fails_is_handed_over_in_its_sentence(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise DatabaseUnavailable("enwiki: its database does not answer")

    monkeypatch.setattr(on_demand, "_after_scoring", refuse)
    with pytest.raises(DatabaseUnavailable):
        asked(services, replace(WANTED, version="of nobody"))

    end = services.flights["enwiki"].ends([replace(WANTED, version="of nobody")])
    assert [each.answer for each in end.values()] == [
        NoAnswer("enwiki: its database does not answer", Failure.TRANSIENT)
    ]


def test_an_error_takes_no_answer_from_those_who_wait_for_somebody_else(
    services: Services, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.set(lease_key(WANTED), "token of somebody", px=60_000)
    monkeypatch.setattr(on_demand, "_after_scoring", fail)

    with pytest.raises(RuntimeError):
        demand(services)

    assert services.flights["enwiki"].ends([WANTED]) == {}


def test_an_error_takes_nothing_from_a_score_that_is_there(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "_after_scoring", fail)

    with pytest.raises(RuntimeError):
        demand(services)

    assert isinstance(services.flights["enwiki"].ends([WANTED])[WANTED].answer, Score)
