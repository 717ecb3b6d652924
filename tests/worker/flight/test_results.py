"""What is stored is what is read back, whatever words are in it, and Celery can read it, too."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_score
from tests.worker.flights import some_ids
from worker.domain.failures import Failure
from worker.domain.scores import Answer, Final, NoAnswer, Score, ScoreError, ScoreId
from worker.flight.results import decode_end, decode_final, encode_result, is_answer, is_end
from worker.flight.tiers import End

#: Any text, and those that single flight looks for.
texts = st.text() | st.sampled_from(["answer", "holder", "end", '"answer":{', '"holder":"', "\\", '\\"answer":{'])
scores = st.builds(
    Score,
    model=texts,
    version=texts,
    prediction=texts | st.lists(texts).map(tuple),
    probability=st.dictionaries(texts, st.floats(0, 1)),
)
errors = st.builds(ScoreError, model=texts, version=texts, type=texts, message=texts)
failures = st.builds(NoAnswer, error=texts, failure=st.sampled_from(Failure), retry_after=st.none() | st.floats(0, 1e6))
finals: st.SearchStrategy[Final] = scores | errors
answers: st.SearchStrategy[Answer] = finals | failures
ids = st.builds(ScoreId, wiki=texts, model=texts, revision=st.integers(1), version=texts)
tokens = st.text("0123456789abcdef", min_size=32, max_size=32)

ONE = some_ids(1)[0]


@given(score_id=ids, answer=finals)
def test_a_cached_answer_is_read_back_as_it_was(score_id: ScoreId, answer: Final) -> None:
    result = encode_result(score_id, answer).encode()

    assert decode_final(result) == answer
    assert decode_end(result) == End(answer)


@given(score_id=ids, answer=answers, holder=tokens)
def test_an_end_that_is_handed_over_is_read_back_with_its_holder(
    score_id: ScoreId, answer: Answer, holder: str
) -> None:
    assert decode_end(encode_result(score_id, answer, holder=holder).encode()) == End(answer, holder)


@given(score_id=ids, answer=finals)
def test_a_cached_answer_is_told_from_everything_else(score_id: ScoreId, answer: Final) -> None:
    result = encode_result(score_id, answer).encode()

    assert is_answer(result)
    assert is_end(result)


@given(score_id=ids, answer=answers, holder=tokens)
def test_an_end_that_is_handed_over_is_never_taken_for_a_cached_answer(
    score_id: ScoreId, answer: Answer, holder: str
) -> None:
    result = encode_result(score_id, answer, holder=holder).encode()

    assert not is_answer(result)
    assert is_end(result)


@given(score_id=ids, answer=finals, token=tokens)
def test_a_cached_answer_is_never_taken_for_what_a_holder_hands_over(
    score_id: ScoreId, answer: Final, token: str
) -> None:
    assert f'"holder":"{token}"' not in encode_result(score_id, answer)


@given(result=st.none() | st.dictionaries(texts, texts).map(lambda document: json.dumps(document).encode()))
def test_what_somebody_else_stored_under_the_key_is_no_end(result: bytes | None) -> None:
    assert not is_answer(result)
    assert not is_end(result)


@given(score_id=ids, answer=answers, holder=tokens)
def test_the_result_is_the_end_of_the_task_of_that_id(score_id: ScoreId, answer: Answer, holder: str) -> None:
    meta = json.loads(encode_result(score_id, answer, holder=holder))

    assert meta["task_id"] == str(score_id)
    assert meta["status"] == ("SUCCESS" if isinstance(answer, Score) else "FAILURE")


def test_a_score_is_what_the_task_returns() -> None:
    assert json.loads(encode_result(ONE, a_score()))["result"] == a_score().model_dump(mode="json", exclude_none=True)


@given(answer=errors | failures)
def test_anything_else_is_what_the_task_raises(answer: Answer) -> None:
    exception = json.loads(encode_result(ONE, answer))["result"]

    expected = "EndpointUnavailable" if isinstance(answer, NoAnswer) else "ScoreRefused"
    assert (exception["exc_module"], exception["exc_type"]) == ("worker.domain.errors", expected)
    assert exception["exc_message"][0].startswith(f"{ONE}: ")
