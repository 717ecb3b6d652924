"""What an endpoint tells of a model beside its version, and scores that come with their features."""

import asyncio
from typing import Any

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.worker.asking import ask, ids, with_client
from worker.domain.errors import EndpointUnavailable, InformationUnknown
from worker.domain.scores import FEATURES, Score
from worker.endpoints.ores import EVERYTHING


def information(kind: str, url: str, *paths: str) -> dict[str, Any]:
    return asyncio.run(with_client(kind, url, lambda client: client.information("enwiki", "damaging", paths)))


def test_an_ores_tells_what_stands_at_a_path(endpoint: EmulatedEndpoint) -> None:
    assert information("ores", endpoint.url, "type", "statistics.roc_auc.macro") == {
        "type": "GradientBoosting",
        "statistics": {"roc_auc": {"macro": 0.94}},
    }


def test_all_that_an_ores_tells_is_told_though_it_lacks_some(endpoint: EmulatedEndpoint) -> None:
    found = information("ores", endpoint.url)

    assert found.keys() == {"version", "type", "params", "environment", "statistics"}
    assert found.keys() < set(EVERYTHING)


@pytest.mark.parametrize("path", ["foo", "statistics.foo", 'statistics.thresholds.true."maximum x @ y"'])
def test_what_is_not_known_is_told_by_its_name(endpoint: EmulatedEndpoint, path: str) -> None:
    with pytest.raises(InformationUnknown):
        information("ores", endpoint.url, path)


def test_lift_wing_tells_nothing_but_versions(endpoint: EmulatedEndpoint) -> None:
    assert information("lift_wing", endpoint.url) == {}
    with pytest.raises(InformationUnknown, match="'type'"):
        information("lift_wing", endpoint.url, "type")


def test_features_come_with_the_scores_that_want_them_and_with_no_others(endpoint: EmulatedEndpoint) -> None:
    featured = ids([1, 2], ["damaging"], version=f"0.5.1{FEATURES}")
    plain = ids([1], ["damaging"])
    found = ask("ores", endpoint.url, [*featured, *plain])

    for score_id in featured:
        answer = found[score_id]
        assert isinstance(answer, Score)
        assert answer.version == score_id.version
        assert answer.features == {"feature.revision.user.is_bot": False, "feature.revision.chars": score_id.revision}
    (score,) = (found[score_id] for score_id in plain)
    assert isinstance(score, Score)
    assert (score.version, score.features) == ("0.5.1", None)


def test_an_error_has_no_features(endpoint: EmulatedEndpoint) -> None:
    endpoint.set(missing_revisions=[1])
    (wanted,) = ids([1], ["damaging"], version=f"0.5.1{FEATURES}")
    answer = ask("ores", endpoint.url, [wanted])[wanted]

    assert (getattr(answer, "type", None), getattr(answer, "version", None)) == ("RevisionNotFound", wanted.version)


def test_an_endpoint_that_is_down_tells_nothing() -> None:
    with pytest.raises(EndpointUnavailable):
        information("ores", "http://127.0.0.1:1", "type")
