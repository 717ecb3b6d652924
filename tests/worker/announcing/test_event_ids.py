"""The id of an event: the same whenever the event is made again, another for everything else."""

import itertools
import uuid
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outbox import Edit
from tests.builders import a_score, a_score_error, an_edit
from tests.worker.announcing.announcements import NOW, announced
from worker.domain.scores import Final
from worker.events.build import EVENT_IDS, uuid5_of

ANSWERS: list[Final] = [a_score(), a_score_error()]
STREAMS = {"damaging": "p", "goodfaith": "q"}
ALL_STREAMS: dict[str, Any] = {"stream_of_model": "s.", "prediction_streams": STREAMS}


def ids(edit: Edit, answers: list[Final], **settings: Any) -> list[str]:
    return [event["meta"]["id"] for event in announced(edit, answers, **settings)]


@pytest.mark.parametrize("settings", [{}, {"prediction_streams": STREAMS}, ALL_STREAMS])
def test_an_event_that_is_made_again_has_the_same_id(settings: dict[str, Any]) -> None:
    again = Edit.decode(an_edit().encode())

    assert ids(an_edit(), ANSWERS, **settings) == ids(again, ANSWERS, now=NOW + timedelta(days=1), **settings)


def test_what_is_known_of_an_edit_besides_makes_no_other_id() -> None:
    """As of a stream that tells more than another."""
    assert ids(an_edit(), ANSWERS) == ids(an_edit(user=None, request_id="r", is_redirect=True), ANSWERS)


def test_a_reconciled_edit_has_other_ids_the_same_ones_each_time() -> None:
    """Since its events tell only what the wiki's tables tell."""
    reconciled = an_edit(is_reconciled=True)
    before, after = ids(an_edit(), ANSWERS, **ALL_STREAMS), ids(reconciled, ANSWERS, **ALL_STREAMS)

    assert not set(before) & set(after)
    assert after == ids(Edit.decode(reconciled.encode()), ANSWERS, now=NOW + timedelta(days=1), **ALL_STREAMS)


@pytest.mark.parametrize("settings", [{}, {"stream_of_model": "s."}])
def test_a_score_in_place_of_an_error_has_another_id_and_is_no_repetition(settings: dict[str, Any]) -> None:
    """As of an edit that was given up, and then requeued; so has another error."""
    types = ("AttemptsExhausted", "RevisionNotFound")
    found: list[Final] = [a_score(), *(a_score_error(model="damaging", type=type_) for type_ in types)]
    events = [set(ids(an_edit(), [a_score(model="goodfaith"), answer], **settings)) for answer in found]

    assert all(set(one) != set(other) for one, other in itertools.combinations(events, 2))


def test_the_words_of_an_error_make_no_other_id() -> None:
    first, second = (
        ids(an_edit(), [a_score_error(message=message)]) for message in ("after 3 attempts", "after 4 attempts")
    )

    assert first == second


def test_all_events_of_an_edit_have_ids_of_their_own() -> None:
    answers: list[Final] = [a_score(), a_score(model="goodfaith")]

    found = ids(an_edit(), answers, **ALL_STREAMS)

    assert len(set(found)) == len(found) == 4


@pytest.mark.parametrize("stream_of_model", [None, "s."])
def test_a_prediction_has_another_id_than_the_score_that_it_is_made_of(stream_of_model: str | None) -> None:
    score, prediction = ids(an_edit(), [a_score()], stream_of_model=stream_of_model, prediction_streams=STREAMS)

    assert score != prediction


def test_predictions_on_two_streams_have_two_ids() -> None:
    here, there = (ids(an_edit(), [a_score()], prediction_streams={"damaging": stream})[1] for stream in "pq")

    assert here != there


def test_no_two_edits_share_an_id() -> None:
    edits = [an_edit(wiki=wiki, revision=n) for wiki in ("enwiki", "frwiki") for n in range(1, 200)]

    found = [id_ for edit in edits for id_ in ids(edit, ANSWERS, **ALL_STREAMS)]

    assert len(set(found)) == len(found)


def test_every_id_is_a_uuid_made_of_names() -> None:
    assert {uuid.UUID(id_).version for id_ in ids(an_edit(), ANSWERS, **ALL_STREAMS)} == {5}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_id_is_the_uuid5_that_the_standard_library_makes(name: str) -> None:
    assert uuid5_of(name) == str(uuid.uuid5(EVENT_IDS, name))
