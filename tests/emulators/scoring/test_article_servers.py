"""The emulated servers of Lift Wing that know any Wikipedia's articles: their quality, and topics by outgoing links."""

import pytest

from tests.emulators.scoring.asking import call_logged_for, instances, reply_to, server
from worker.emulators.scoring.endpoint import EmulatorSettings, probabilities

QUALITY = server("articlequality-v2")
OUTLINK = server("outlink-topic-model")


def test_article_quality_has_a_label_a_score_and_probabilities() -> None:
    expected = probabilities(0, "dewiki", "articlequality-v2", 9)
    stub, start, c, b, ga, fa = expected.values()
    assert reply_to(QUALITY, instances(9, lang="de")).json() == {
        "predictions": [
            {
                "label": max(expected, key=expected.__getitem__),
                "score": pytest.approx(0 * stub + 0.2 * start + 0.4 * c + 0.6 * b + 0.8 * ga + fa),
                "prediction_probabilities": expected,
                "features": {},
            }
        ],
        "model_name": "articlequality-v2",
        "model_version": "2",
    }


def test_article_quality_is_given_in_the_order_asked_for_repetitions_included() -> None:
    predictions = reply_to(QUALITY, instances(3, 1, 3, 2)).json()["predictions"]
    assert [each["prediction_probabilities"] for each in predictions] == [
        probabilities(0, "enwiki", "articlequality-v2", revision) for revision in (3, 1, 3, 2)
    ]


def test_article_quality_is_logged_with_the_wiki_of_its_language() -> None:
    call = call_logged_for(QUALITY, instances(1, 2, 1, lang="de"))
    assert (call["wiki"], call["models"], call["revisions"]) == ("dewiki", ["articlequality-v2"], [1, 2])
    assert (call["status"], call["scores"]) == (200, 3)


def test_one_missing_revision_spoils_a_batch_of_article_qualities() -> None:
    reply = reply_to(QUALITY, instances(1, 2, 3), EmulatorSettings(missing_revisions=frozenset({2})))
    assert reply.status_code == 422
    assert "[2]" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "envelope"),
    [
        (instances(1, 500), 500, "error"),
        (instances(*range(21)), 400, "detail"),
        (instances(), 400, "detail"),
        ({"instances": [{"rev_id": 1, "lang": "en"}, {"rev_id": 1, "lang": "de"}]}, 400, "detail"),
        ({"rev_id": 1, "lang": "en"}, 400, "detail"),
        ({"instances": [{"rev_id": 1}]}, 400, "detail"),
    ],
)
def test_article_quality_refuses_what_it_cannot_score(body: object, status: int, envelope: str) -> None:
    reply = reply_to(QUALITY, body, EmulatorSettings(broken_revisions=frozenset({500})))
    assert reply.status_code == status
    assert list(reply.json()) == [envelope]


def test_outlink_gives_the_likely_topics_of_a_page_the_best_first() -> None:
    expected = probabilities(0, "dewiki", "outlink-topic-model", 3)
    likely = sorted((each for each in expected.values() if each >= 0.5), reverse=True)
    prediction = reply_to(OUTLINK, {"page_id": 3, "lang": "de"}).json()["prediction"]
    assert prediction["article"] == "https://de.wikipedia.org/wiki?curid=3"
    assert len(likely) > 1
    assert [each["score"] for each in prediction["results"]] == likely
    assert all(expected[each["topic"]] == each["score"] for each in prediction["results"])


@pytest.mark.parametrize(("threshold", "count"), [(0.0, 64), (1.0, 0)])
def test_outlink_gives_topics_from_the_threshold_on(threshold: float, count: int) -> None:
    reply = reply_to(OUTLINK, {"page_id": 3, "lang": "de", "threshold": threshold})
    assert len(reply.json()["prediction"]["results"]) == count


def test_outlink_gives_a_topic_that_is_exactly_at_the_threshold() -> None:
    best = max(probabilities(0, "dewiki", "outlink-topic-model", 3).values())
    results = reply_to(OUTLINK, {"page_id": 3, "lang": "de", "threshold": best}).json()["prediction"]["results"]
    assert {each["score"] for each in results} == {best}


def test_outlink_scores_the_revision_if_one_is_given() -> None:
    body = {"page_id": 3, "lang": "de", "revision_id": 77, "threshold": 0.0}
    prediction = reply_to(OUTLINK, body).json()["prediction"]
    assert prediction["article"] == "https://de.wikipedia.org/wiki?curid=3"
    assert {each["topic"]: each["score"] for each in prediction["results"]} == probabilities(
        0, "dewiki", "outlink-topic-model", 77
    )


def test_outlink_takes_a_title_and_puts_it_in_the_address() -> None:
    reply = reply_to(OUTLINK, {"page_title": "Douglas_Adams", "lang": "en"})
    assert reply.json()["prediction"]["article"] == "https://en.wikipedia.org/wiki/Douglas_Adams"


@pytest.mark.parametrize(("more", "revisions"), [({}, [3]), ({"revision_id": None}, [3]), ({"revision_id": 77}, [77])])
def test_outlink_is_logged_by_its_revision_or_else_by_its_page(more: dict[str, object], revisions: list[int]) -> None:
    call = call_logged_for(OUTLINK, {"page_id": 3, "lang": "de", **more})
    assert (call["wiki"], call["models"], call["revisions"]) == ("dewiki", ["outlink-topic-model"], revisions)
    assert call["scores"] == 1


def test_outlink_is_logged_by_the_same_number_for_the_same_title() -> None:
    first, again, other = (
        call_logged_for(OUTLINK, {"page_title": title, "lang": "en"})["revisions"] for title in ("A", "A", "B")
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"lang": "en"}, 400),
        ({"page_id": 3}, 400),
        ({"page_id": 3, "page_title": "A", "lang": "en"}, 400),
        ({"page_id": "3", "lang": "en"}, 400),
        ({"page_title": 3, "lang": "en"}, 400),
        ({"page_id": 3, "lang": "en", "threshold": "much"}, 400),
        ({"page_id": 3, "lang": "en", "threshold": 1}, 400),
        ({"page_id": 3, "lang": "en", "revision_id": "77"}, 400),
        ({"page_id": 3, "lang": "en", "revision_id": 404}, 400),
        ({"page_id": 3, "lang": "en", "revision_id": 500}, 500),
    ],
)
def test_outlink_refuses_with_an_error(body: object, status: int) -> None:
    settings = EmulatorSettings(missing_revisions=frozenset({404}), broken_revisions=frozenset({500}))
    reply = reply_to(OUTLINK, body, settings)
    assert reply.status_code == status
    assert list(reply.json()) == ["error"]
