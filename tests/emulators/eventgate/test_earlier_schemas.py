"""Events of schemas that came before ours are judged as the original judges them, and not as unknown ones."""

from typing import Any

import pytest

from tests.emulators.eventgate.asking import (
    ABSENT,
    FIRST_PREDICTION,
    Event,
    a_prediction_event,
    a_score,
    a_score_event,
    an_error,
    reply_to,
)

META: Event = a_score_event()["meta"]
PERFORMER: Event = a_score_event()["performer"]


def a_second_score(**changes: Any) -> Event:
    """As ORES' events were, which had fields of revision/create that no schema of scores lists."""
    extra = {"rev_len": 3, "rev_sha1": "mr0szy90m5qbn6tek7ch3nebaild3tm", "rev_minor_edit": False}
    return a_score_event(**{"$schema": "/mediawiki/revision/score/2.0.0", "dt": ABSENT} | extra | changes)


def a_first_score(**changes: Any) -> Event:
    """Before scores were told by the name of the model."""
    lists = {
        "scores": [a_score(probability=[{"name": "true", "value": 0.12}])],
        "errors": [an_error()],
    }
    return a_second_score(**{"$schema": "/mediawiki/revision/score/1.0.0"} | lists | changes)


@pytest.mark.parametrize(
    "event",
    [
        a_second_score(),
        a_second_score(performer=PERFORMER | {"surplus": 1}),
        a_second_score(performer=ABSENT, rev_parent_id=ABSENT, scores=ABSENT, errors=ABSENT),
        a_first_score(),
        a_prediction_event(FIRST_PREDICTION, page={"page_id": 1, "page_title": "A"}),
    ],
)
def test_an_event_of_an_earlier_schema_is_taken(event: Event) -> None:
    reply, kept = reply_to(event)

    assert (reply.status_code, kept) == (201, [event])


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (a_second_score(page_is_redirect=ABSENT), "'' should have required property 'page_is_redirect'"),
        (a_second_score(meta={"stream": "s"}), "'.meta' should have required property 'dt'"),
        (
            a_second_score(performer={"user_text": "A", "user_groups": []}),
            "'.performer' should have required property 'user_is_bot'",
        ),
        (a_second_score(scores=[]), "'.scores' should be object"),
        (a_first_score(scores={}), "'.scores' should be array"),
        (a_first_score(meta=META | {"id": "1"}), "'.meta.id' should match pattern \""),
        (
            a_first_score(scores=[a_score(probability=[{"name": "true"}])]),
            "'.scores[0].probability[0]' should have required property 'value'",
        ),
        (a_prediction_event(FIRST_PREDICTION), "'.page' should NOT have additional properties"),
    ],
)
def test_what_an_earlier_schema_refuses_comes_back_with_the_reason(event: Event, said: str) -> None:
    reply, kept = reply_to(event)

    assert (reply.status_code, kept) == (400, [])
    assert reply.json()["invalid"][0]["context"]["errorsText"].startswith(said)
