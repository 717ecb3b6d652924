"""ORES' v3, to the field, as wikimedia/ores tests/wsgi/tests/test_server.py and its specification have it."""

import pytest

from tests.endpoint import EmulatedEndpoint
from tests.patience import until
from tests.web.conftest import OpenFront
from tests.web.documents import VERSION, VERSIONS, error, gone, score, scores
from tests.web.fronts import Front
from tests.worker.lines import statements
from worker.scores.model_versions import current_models


def test_a_revision_is_scored_by_all_models_of_the_wiki(front: Front) -> None:
    assert front.json("/v3/scores/enwiki/123/") == {"enwiki": {"models": VERSIONS, "scores": scores(123)}}


def test_a_revision_is_scored_by_the_model_of_the_path(front: Front) -> None:
    assert front.json("/v3/scores/enwiki/123/damaging/") == {
        "enwiki": {"models": {"damaging": {"version": VERSION}}, "scores": scores(123, models=("damaging",))}
    }


@pytest.mark.parametrize("path", ["/v3/scores/enwiki", "/v3/scores/enwiki/"])
def test_revisions_and_models_are_named_with_bars(front: Front, path: str) -> None:
    assert front.json(f"{path}?models=goodfaith|damaging&revids=5|7|5") == {
        "enwiki": {"models": VERSIONS, "scores": scores(5, 7)}
    }


def test_revisions_and_models_may_come_as_a_form(front: Front) -> None:
    reply = front.post("/v3/scores/enwiki/", data={"models": "damaging", "revids": "5|7"})

    assert reply.json()["enwiki"]["scores"] == scores(5, 7, models=("damaging",))


def test_the_query_wins_over_the_form(front: Front) -> None:
    reply = front.post("/v3/scores/enwiki/?revids=5", data={"revids": "7"})

    assert reply.json()["enwiki"]["scores"] == scores(5)


def test_the_path_wins_over_the_query(front: Front) -> None:
    assert front.json("/v3/scores/enwiki/5/damaging?revids=7&models=goodfaith")["enwiki"]["scores"] == scores(
        5, models=("damaging",)
    )


def test_of_several_values_of_one_parameter_the_first_counts(front: Front) -> None:
    assert front.json("/v3/scores/enwiki/?revids=5&revids=7")["enwiki"]["scores"] == scores(5)


def test_without_revisions_the_models_are_told(front: Front) -> None:
    assert front.json("/v3/scores/enwiki/") == {"enwiki": {"models": VERSIONS}}
    assert front.json("/v3/scores/enwiki/?models=damaging") == {
        "enwiki": {"models": {"damaging": {"version": VERSION}}}
    }


def test_all_wikis_are_told_with_their_models(open_front: OpenFront) -> None:
    front = open_front(knows_versions=False)

    assert front.json("/v3/scores/") == {"enwiki": {"models": VERSIONS}, "frwiki": {"models": VERSIONS}}


def test_a_revision_that_is_gone_is_an_error_of_its_own_in_a_200(front: Front, endpoint: EmulatedEndpoint) -> None:
    endpoint.set(missing_revisions=[7])

    assert front.json("/v3/scores/enwiki/?models=damaging&revids=5|7")["enwiki"]["scores"] == {
        "5": {"damaging": {"score": score("damaging", 5)}},
        "7": {"damaging": gone(7)},
    }


@pytest.mark.parametrize("revision", [0, -5, 2**32, 10**30])
def test_a_revision_that_no_column_can_hold_is_not_found_and_asked_of_nobody(
    front: Front, endpoint: EmulatedEndpoint, revision: int
) -> None:
    found = front.json(f"/v3/scores/enwiki/?models=damaging&revids=5|{revision}")["enwiki"]["scores"]

    assert found == {"5": {"damaging": {"score": score("damaging", 5)}}, str(revision): {"damaging": gone(revision)}}
    assert endpoint.summary()["scores"] == 1


@pytest.mark.parametrize("path", ["/v3/scores/nowiki/", "/v3/scores/nowiki/1", "/v3/scores/nowiki/1/damaging"])
def test_an_unknown_wiki_is_not_found_with_the_known_ones(front: Front, path: str) -> None:
    reply = front.get(path)

    assert reply.status_code == 404
    assert reply.json() == {
        "error": error("not found", "No scorers available for nowiki"),
        "warnings": [{"type": "Known", "message": "enwiki|frwiki"}],
    }


@pytest.mark.parametrize("path", ["/v3/scores/enwiki/1/magic", "/v3/scores/enwiki/?models=damaging|magic&revids=1"])
def test_an_unknown_model_is_not_found_with_the_known_ones(front: Front, path: str) -> None:
    reply = front.get(path)

    assert reply.status_code == 404
    assert reply.json() == {
        "error": error("not found", "Models ('magic',) not available for enwiki"),
        "warnings": [{"type": "Known", "message": "damaging|goodfaith"}],
    }


def test_fifty_revisions_are_scored_and_fifty_one_are_too_many(front: Front) -> None:
    fifty = "|".join(map(str, range(1, 51)))
    found = front.json(f"/v3/scores/enwiki/?models=damaging&revids={fifty}")

    assert found["enwiki"]["scores"] == scores(*range(1, 51), models=("damaging",))
    assert front.error(f"/v3/scores/enwiki/?revids={fifty}|51") == (
        400,
        "bad request",
        "Too many values for 'revids' parameter.  Max of 50.",
    )


def test_a_revision_that_is_named_twice_counts_once(front: Front) -> None:
    assert front.get("/v3/scores/enwiki/?models=damaging&revids=" + "|".join(["1"] * 60)).status_code == 200


@pytest.mark.parametrize(
    ("text", "shown"), [("abc", "'abc'"), ("1||2", "''"), ("", "''"), ("1,2", "'1,2'"), ("1.5", "'1.5'")]
)
def test_a_revision_that_is_no_number_is_a_bad_request(front: Front, text: str, shown: str) -> None:
    assert front.error(f"/v3/scores/enwiki/?revids={text}") == (
        400,
        "bad request",
        f"Could not interpret revids. invalid literal for int() with base 10: {shown}",
    )


@pytest.mark.parametrize("name", ["inject", "feature.revision.chars", "datasource.revision.text"])
def test_values_that_are_to_be_injected_are_refused(front: Front, name: str) -> None:
    status, code, message = front.error(f"/v3/scores/enwiki/?revids=1&{name}=1")

    assert (status, code) == (400, "bad request")
    assert name in message


def test_an_unknown_parameter_is_ignored(front: Front) -> None:
    assert front.json("/v3/scores/enwiki/123/damaging?1512345678=true&x=") == front.json(
        "/v3/scores/enwiki/123/damaging"
    )


def test_a_score_comes_with_its_features_where_they_are_asked_for(front: Front, endpoint: EmulatedEndpoint) -> None:
    featured = front.json("/v3/scores/enwiki/5/damaging?features")
    again = front.json("/v3/scores/enwiki/5/damaging?features=true")

    assert featured == again
    assert featured["enwiki"] == {
        "models": {"damaging": {"version": VERSION}},
        "scores": {
            "5": {
                "damaging": {
                    "score": score("damaging", 5),
                    "features": {"feature.revision.user.is_bot": False, "feature.revision.chars": 5},
                }
            }
        },
    }
    # Unlike ORES, which computes them again for each.
    assert endpoint.summary()["scores"] == 1


def test_features_that_an_endpoint_does_not_have_are_left_out(open_front: OpenFront) -> None:
    front = open_front(endpoint={"kind": "lift_wing"})

    assert front.json("/v3/scores/enwiki/5/damaging?features")["enwiki"]["scores"] == scores(5, models=("damaging",))


def test_a_model_with_many_answers_says_which_as_text_and_one_with_topics_as_a_list(open_front: OpenFront) -> None:
    front = open_front(models=("articlequality", "articletopic"))

    found = front.json("/v3/scores/enwiki/5")["enwiki"]["scores"]["5"]

    assert found == {model: {"score": score(model, 5)} for model in ("articlequality", "articletopic")}
    assert isinstance(found["articlequality"]["score"]["prediction"], str)
    assert isinstance(found["articletopic"]["score"]["prediction"], list)


def test_an_answer_of_another_version_is_shown_with_that_version(front: Front, endpoint: EmulatedEndpoint) -> None:
    assert front.json("/v3/scores/enwiki/1/damaging")["enwiki"]["models"] == {"damaging": {"version": VERSION}}
    endpoint.set(versions={"damaging": "0.6.0"})

    found = front.json("/v3/scores/enwiki/2/damaging")["enwiki"]

    assert found["models"] == {"damaging": {"version": "0.6.0"}}
    assert found["scores"]["2"]["damaging"].keys() == {"score"}


def test_an_answer_of_a_version_that_is_not_current_yet_is_kept_as_any_other(
    front: Front, endpoint: EmulatedEndpoint
) -> None:
    endpoint.set(versions={"damaging": "0.6.0"})
    first = front.json("/v3/scores/enwiki/1/damaging")

    assert front.json("/v3/scores/enwiki/1/damaging") == first
    assert first["enwiki"]["models"] == {"damaging": {"version": "0.6.0"}}
    assert endpoint.summary()["scores"] == 1


def test_a_new_version_is_seen_when_the_workers_tell_it(front: Front, endpoint: EmulatedEndpoint) -> None:
    old = front.json("/v3/scores/enwiki/1/damaging")
    endpoint.set(versions={"damaging": "0.6.0"}, version_changes_scores=True)
    front.workers.services.documents.keep_versions("enwiki", {"damaging": "0.6.0", "goodfaith": VERSION})
    until(lambda: bool(front.json("/v3/scores/enwiki/")["enwiki"]["models"]["damaging"]["version"] == "0.6.0"), "0.6.0")

    new = front.json("/v3/scores/enwiki/1/damaging")

    assert new["enwiki"]["models"] == {"damaging": {"version": "0.6.0"}}
    assert new["enwiki"]["scores"] != old["enwiki"]["scores"]


def test_no_score_needs_a_database(front: Front) -> None:
    with statements(front.workers.services.wiki("enwiki").database) as said:
        front.json("/v3/scores/enwiki/?revids=1|2")
        front.json("/v3/scores/enwiki/3/damaging")
        front.json("/v3/scores/enwiki/3/damaging")

    assert said == []


def test_a_version_that_only_a_score_tells_is_known_from_then_on(
    open_front: OpenFront, endpoint: EmulatedEndpoint
) -> None:
    front = open_front(endpoint={"kind": "lift_wing"}, knows_versions=False)
    first = front.json("/v3/scores/enwiki/5/")
    calls = endpoint.summary()["calls"]
    # The worker replies before it has made the version current.
    front.workers.close()
    versions = front.workers.services.wiki("enwiki").database.run(current_models)

    assert first == {"enwiki": {"models": VERSIONS, "scores": scores(5)}}
    assert {name: model.version for name, model in versions.items()} == {"damaging": VERSION, "goodfaith": VERSION}
    assert endpoint.summary()["calls"] == calls
