"""The emulated revert risk servers of Lift Wing: two for Wikipedias, one for Wikidata."""

import pytest

from tests.emulators.scoring.asking import call_logged_for, instances, reply_to, server
from worker.emulators.scoring.endpoint import EmulatorSettings, probabilities

LANGUAGE_AGNOSTIC = server("revertrisk-language-agnostic")
MULTILINGUAL = server("revertrisk-multilingual")
WIKIDATA = server("revertrisk-wikidata")


@pytest.mark.parametrize(
    ("model", "version"), [("revertrisk-language-agnostic", "3"), ("revertrisk-multilingual", "4")]
)
def test_revertrisk_names_model_wiki_and_revision_beside_its_output(model: str, version: str) -> None:
    expected = probabilities(0, "be_taraskwiki", model, 9)
    assert reply_to(server(model), {"rev_id": 9, "lang": "be-tarask"}).json() == {
        "model_name": model,
        "model_version": version,
        "wiki_db": "be-taraskwiki",
        "revision_id": 9,
        "output": {"prediction": expected["true"] >= 0.5, "probabilities": expected},
    }


def test_revertrisk_of_wikidata_needs_no_language_and_names_no_wiki() -> None:
    expected = probabilities(0, "wikidatawiki", "revertrisk-wikidata", 9)
    assert reply_to(WIKIDATA, {"rev_id": 9}).json() == {
        "model_name": "revertrisk-wikidata",
        "model_version": "1",
        "revision_id": 9,
        "output": {"prediction": expected["true"] >= 0.5, "probabilities": expected},
    }


def test_a_revertrisk_call_is_logged_with_the_wiki_of_its_language() -> None:
    call = call_logged_for(LANGUAGE_AGNOSTIC, instances(1, 2, lang="de"))
    assert (call["wiki"], call["models"], call["revisions"]) == ("dewiki", ["revertrisk-language-agnostic"], [1, 2])


def test_a_revertrisk_call_about_an_item_is_logged_for_wikidata() -> None:
    call = call_logged_for(WIKIDATA, {"rev_id": 9})
    assert (call["wiki"], call["models"], call["revisions"]) == ("wikidatawiki", ["revertrisk-wikidata"], [9])


def test_a_revertrisk_batch_gives_predictions_and_an_error_for_each_missing_revision() -> None:
    reply = reply_to(LANGUAGE_AGNOSTIC, instances(1, 2, 3), EmulatorSettings(missing_revisions=frozenset({2})))
    assert [each["revision_id"] for each in reply.json()["predictions"]] == [1, 3]
    assert len(reply.json()["errors"]) == 1


@pytest.mark.parametrize("path", [MULTILINGUAL, WIKIDATA])
def test_only_the_language_agnostic_server_takes_batches(path: str) -> None:
    assert reply_to(path, instances(1)).status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (LANGUAGE_AGNOSTIC, {"rev_id": 1, "lang": "xx"}, "does not exist in the canonical Wikipedia language list"),
        (LANGUAGE_AGNOSTIC, {"rev_id": 1, "lang": "zh-min-nan"}, "lang 'zh-min-nan' does not exist"),
        (MULTILINGUAL, {"rev_id": 1, "lang": "enwiki"}, "should not have a 'wiki' suffix"),
        (LANGUAGE_AGNOSTIC, instances(404, 405), "revisions dict_keys([(404, 'en'), (405, 'en')]). Reason: ["),
        (MULTILINGUAL, {"rev_id": 404, "lang": "en"}, "Could not make prediction for revision 404 (en). Reason: "),
        (WIKIDATA, {"rev_id": 0}, "The rev_id must be a positive integer."),
    ],
)
def test_revertrisk_refuses_in_the_words_of_the_original(path: str, body: object, words: str) -> None:
    reply = reply_to(path, body, EmulatorSettings(missing_revisions=frozenset({404, 405})))
    assert words in reply.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "status", "envelope"),
    [
        (LANGUAGE_AGNOSTIC, {"rev_id": 404, "lang": "en"}, 422, "detail"),
        (LANGUAGE_AGNOSTIC, {"rev_id": 500, "lang": "en"}, 500, "error"),
        (LANGUAGE_AGNOSTIC, {"rev_id": 1}, 400, "error"),
        (LANGUAGE_AGNOSTIC, {"rev_id": 1, "lang": "enwiki"}, 400, "detail"),
        (LANGUAGE_AGNOSTIC, {"instances": [{"rev_id": 1, "lang": "en"}, {"rev_id": 1, "lang": "de"}]}, 400, "detail"),
        (LANGUAGE_AGNOSTIC, instances(*range(21)), 400, "detail"),
        (LANGUAGE_AGNOSTIC, instances(), 400, "detail"),
        (MULTILINGUAL, {"rev_id": 404, "lang": "en"}, 422, "detail"),
        (MULTILINGUAL, {"rev_id": 500, "lang": "en"}, 500, "error"),
        (MULTILINGUAL, {"rev_id": 1}, 400, "error"),
        (WIKIDATA, {"rev_id": 404}, 500, "error"),
        (WIKIDATA, {"rev_id": 500}, 500, "error"),
        (WIKIDATA, {"lang": "en"}, 400, "detail"),
    ],
)
def test_revertrisk_refuses_with_the_status_and_envelope_of_the_model_server(
    path: str, body: object, status: int, envelope: str
) -> None:
    settings = EmulatorSettings(missing_revisions=frozenset({404}), broken_revisions=frozenset({500}))
    reply = reply_to(path, body, settings)
    assert reply.status_code == status
    assert list(reply.json()) == [envelope]
