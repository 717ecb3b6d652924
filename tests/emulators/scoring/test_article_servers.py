"""The emulated servers of Lift Wing that know any Wikipedia's articles: their quality, and topics by outgoing links."""

import pytest

from tests.emulators.scoring.asking import call_logged_for, instances, reply_to, server
from worker.emulators.scoring.endpoint import EmulatorSettings, probabilities

QUALITY = server("articlequality")
QUALITIES = server("articlequality_v2")
OUTLINK = server("outlink-topic-model")


def test_article_quality_is_one_number_as_documented() -> None:
    expected = probabilities(0, "dewiki", "articlequality-language-agnostic", 9)
    stub, start, c, b, ga, fa = expected.values()
    assert reply_to(QUALITY, {"rev_id": 9, "lang": "de"}).json() == {
        "score": pytest.approx(0 * stub + 0.2 * start + 0.4 * c + 0.6 * b + 0.8 * ga + fa),
        "model_name": "articlequality",
        "model_version": "1",
        "wiki_db": "dewiki",
        "revision_id": 9,
    }


def test_article_quality_has_a_label_if_more_is_asked_for() -> None:
    expected = probabilities(0, "dewiki", "articlequality-language-agnostic", 9)
    reply = reply_to(QUALITY, {"rev_id": 9, "lang": "de", "extended_output": "true"}).json()
    assert reply["label"] == max(expected, key=expected.__getitem__)


def test_the_second_version_has_a_probability_for_each_class() -> None:
    expected = probabilities(0, "dewiki", "articlequality_v2", 9)
    stub, start, c, b, ga, fa = expected.values()
    assert reply_to(QUALITIES, instances(9, lang="de")).json() == {
        "predictions": [
            {
                "label": max(expected, key=expected.__getitem__),
                "score": pytest.approx(0 * stub + 0.2 * start + 0.4 * c + 0.6 * b + 0.8 * ga + fa),
                "prediction_probabilities": expected,
                "features": {},
            }
        ],
        "model_name": "articlequality",
        "model_version": "2",
    }


def test_article_qualities_are_given_in_the_order_asked_for_repetitions_included() -> None:
    predictions = reply_to(QUALITIES, instances(3, 1, 3, 2)).json()["predictions"]
    assert [each["prediction_probabilities"] for each in predictions] == [
        probabilities(0, "enwiki", "articlequality_v2", revision) for revision in (3, 1, 3, 2)
    ]


def test_article_quality_is_logged_with_the_wiki_of_its_language() -> None:
    call = call_logged_for(QUALITIES, instances(1, 2, 1, lang="de"))
    assert (call["wiki"], call["models"], call["revisions"]) == ("dewiki", ["articlequality_v2"], [1, 2])
    assert (call["status"], call["scores"]) == (200, 3)


def test_one_missing_revision_spoils_a_batch_of_article_qualities() -> None:
    reply = reply_to(QUALITIES, instances(1, 2, 3), EmulatorSettings(missing_revisions=frozenset({2})))
    assert reply.status_code == 500
    assert reply.json() == {
        "error": "[404] Fetching html failed for the article revision with id: 2. Reason: Not Found"
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (QUALITY, {"rev_id": 404, "lang": "en"}),
        (QUALITY, {"rev_id": 500, "lang": "en"}),
        (QUALITY, {"rev_id": 1}),
        (QUALITY, {"rev_id": "1", "lang": "en"}),
        (QUALITY, {"rev_id": 1, "lang": "en", "extended_output": True}),
        (QUALITIES, instances(1, 500)),
        (QUALITIES, {"rev_id": 1, "lang": "en"}),
        (QUALITIES, {"instances": [{"rev_id": 1}]}),
    ],
)
def test_article_quality_answers_500_to_all_that_it_cannot_score(path: str, body: object) -> None:
    settings = EmulatorSettings(missing_revisions=frozenset({404}), broken_revisions=frozenset({500}))
    reply = reply_to(path, body, settings)
    assert reply.status_code == 500
    assert list(reply.json()) == ["error"]


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
        ({"page_id": 3, "lang": "en", "revision_id": 500}, 500),
    ],
)
def test_outlink_refuses_with_an_error(body: object, status: int) -> None:
    settings = EmulatorSettings(missing_revisions=frozenset({404}), broken_revisions=frozenset({500}))
    reply = reply_to(OUTLINK, body, settings)
    assert reply.status_code == status
    assert list(reply.json()) == ["error"]


def test_outlink_tells_of_a_revision_that_is_gone_in_another_envelope() -> None:
    body = {"page_id": 3, "lang": "en", "revision_id": 404}
    reply = reply_to(OUTLINK, body, EmulatorSettings(missing_revisions=frozenset({404})))
    assert reply.status_code == 400
    assert reply.json() == {
        "detail": "Cannot fetch revision 404 on en.wikipedia.org: MediaWiki API error 'nosuchrevid'."
    }
