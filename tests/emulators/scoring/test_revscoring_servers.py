"""The emulated revscoring model servers of Lift Wing, one for each wiki and model."""

import pytest

from tests.emulators.scoring.asking import DAMAGING, reply_to, server
from worker.emulators.scoring.endpoint import EmulatorSettings
from worker.emulators.scoring.servers import REVSCORING_MODELS


@pytest.mark.parametrize("model", sorted({*REVSCORING_MODELS} - {"wp10"}))
def test_a_revscoring_model_server_answers_in_the_shape_of_ores(model: str) -> None:
    reply = reply_to(server(f"enwiki-{model}"), {"rev_id": 9})
    assert reply.json() == reply_to(f"/v3/scores/enwiki/9/{model}").json()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (DAMAGING, {"rev_id": 404}, 400),
        (DAMAGING, {"rev_id": 500}, 500),
        (DAMAGING, {}, 400),
        (DAMAGING, [1], 400),
        (DAMAGING, {"rev_id": "9"}, 400),
        (server("enwiki-beauty"), {"rev_id": 1}, 404),
        (server("enwiki-articlequality-v2"), {"rev_id": 1}, 404),
        (server("enwiki-articlequality_v2"), {"rev_id": 1}, 404),
        (server("enwiki-wp10"), {"rev_id": 1}, 404),
        (server("dewiki-draftquality"), {"rev_id": 1}, 404),
        (server("xxwiki-damaging"), {"rev_id": 1}, 404),
    ],
)
def test_a_revscoring_model_server_refuses_with_an_error(path: str, body: object, status: int) -> None:
    settings = EmulatorSettings(missing_revisions=frozenset({404}), broken_revisions=frozenset({500}))
    reply = reply_to(path, body, settings)
    assert reply.status_code == status
    assert list(reply.json()) == ["error"]


def test_a_missing_revision_is_told_with_the_words_clients_look_for() -> None:
    reply = reply_to(DAMAGING, {"rev_id": 1}, EmulatorSettings(missing_revisions=frozenset({1})))
    assert reply.json()["error"].startswith("The MW API does not have any info related to the rev-id")
