"""How scores are cut into ORES requests: nothing lost, nothing twice, nothing asked for that nobody wants."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.worker.asking import ids
from worker.domain.scores import ScoreId
from worker.endpoints.ores import requests_for

MODELS = ("damaging", "goodfaith", "articlequality", "draftquality")
WANTED = st.lists(
    st.builds(ScoreId, st.just("enwiki"), st.sampled_from(MODELS), st.integers(1, 60), st.just("1")),
    unique=True,
    max_size=120,
)


@settings(max_examples=examples(150))
@given(WANTED, st.integers(1, 50))
def test_every_score_is_in_exactly_one_request(wanted: list[ScoreId], most: int) -> None:
    asked = [score_id for request in requests_for(wanted, most) for score_id in request]

    assert sorted(asked) == sorted(wanted)


@settings(max_examples=examples(150))
@given(WANTED, st.integers(1, 50))
def test_no_request_is_for_more_scores_than_allowed(wanted: list[ScoreId], most: int) -> None:
    assert all(len(request) <= most for request in requests_for(wanted, most))


@settings(max_examples=examples(150))
@given(WANTED, st.integers(1, 50))
def test_a_request_is_all_its_revisions_times_all_its_models(wanted: list[ScoreId], most: int) -> None:
    for request in requests_for(wanted, most):
        revisions = {score_id.revision for score_id in request}
        models = {score_id.model for score_id in request}
        assert len(request) == len(revisions) * len(models)


def test_two_hundred_edits_of_two_models_are_eight_requests() -> None:
    assert [len(request) for request in requests_for(ids(range(200)), 50)] == [50] * 8
