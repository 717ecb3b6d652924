"""A score id is one string everywhere, and reads back as itself."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from worker.domain.scores import ScoreId

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,15}", fullmatch=True)
VERSIONS = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=32)
SCORE_IDS = st.builds(ScoreId, NAMES, NAMES, st.integers(min_value=1, max_value=2**63), VERSIONS)


@settings(max_examples=examples(200))
@given(SCORE_IDS)
def test_a_score_id_survives_being_a_string(score_id: ScoreId) -> None:
    assert ScoreId.parse(str(score_id)) == score_id


@settings(max_examples=examples(300))
@given(st.one_of(st.text(max_size=40), st.from_regex(r"[a-z]+:[a-z]+:\d+:[0-9.]+", fullmatch=True)))
def test_no_two_strings_are_one_score_id(text: str) -> None:
    try:
        score_id = ScoreId.parse(text)
    except ValueError:
        return
    assert str(score_id) == text


def test_a_score_id_is_wiki_model_revision_and_version_in_this_order() -> None:
    assert str(ScoreId("enwiki", "damaging", 745065890, "0.5.1")) == "enwiki:damaging:745065890:0.5.1"


def test_a_version_may_hold_colons() -> None:
    assert ScoreId.parse("enwiki:damaging:1:2026:01:1").version == "2026:01:1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "enwiki",
        "enwiki:damaging:1",
        "enwiki:damaging:1:",
        ":damaging:1:0.5.1",
        "enwiki::1:0.5.1",
        "enwiki:damaging::0.5.1",
        "enwiki:damaging:-1:0.5.1",
        "enwiki:damaging:one:0.5.1",
        "enwiki:damaging:007:0.5.1",
        "enwiki:damaging:٣:0.5.1",
        f"enwiki:damaging:{'9' * 5000}:0.5.1",
    ],
)
def test_what_is_no_score_id_is_refused_with_the_form_it_should_have(text: str) -> None:
    with pytest.raises(ValueError, match="the form is <wiki>:<model>:<revision>:<model version>"):
        ScoreId.parse(text)
