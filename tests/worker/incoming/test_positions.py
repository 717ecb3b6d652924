"""Where reading goes on: never after something that was not read, and not so early that it would never get on."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outbox.database import Database
from outbox.mediawiki.saving import save_edit
from outbox.mediawiki.schema import revision
from tests.builders import an_edit
from tests.examples import examples
from tests.worker.lines import count
from worker.incoming.positions import REWIND_MS, position, remember, resume_from

HERE, THERE = "eqiad.mediawiki.recentchange", "codfw.mediawiki.recentchange"
SOURCE = "https://stream.example/v2/stream/recentchange"
NOW = 1_767_225_600_000


def an_id(*places: tuple[str, str, int]) -> str:
    return json.dumps([{"topic": topic, "partition": 0, kind: value} for topic, kind, value in places])


def resumed(*event_ids: str) -> list[tuple[str, str, int]]:
    """The places of the id to go on from: topic, kind, value."""
    parts: list[dict[str, Any]] = json.loads(resume_from(event_ids))
    kinds = [next(kind for kind in part if kind not in {"topic", "partition"}) for part in parts]
    assert all(set(part) == {"topic", "partition", kind} for part, kind in zip(parts, kinds, strict=True))
    return [(part["topic"], kind, part[kind]) for part, kind in zip(parts, kinds, strict=True)]


def test_a_moment_is_gone_back_from_since_others_may_share_it() -> None:
    assert resumed(an_id((HERE, "timestamp", NOW))) == [(HERE, "timestamp", NOW - REWIND_MS)]


def test_an_offset_is_exact() -> None:
    assert resumed(an_id((HERE, "offset", 7))) == [(HERE, "offset", 7)]


def test_the_end_of_an_idle_topic_becomes_the_moment_of_the_others() -> None:
    assert resumed(an_id((HERE, "timestamp", NOW), (THERE, "offset", -1))) == [
        (HERE, "timestamp", NOW - REWIND_MS),
        (THERE, "timestamp", NOW - REWIND_MS),
    ]


def test_without_any_moment_the_end_stays_the_end() -> None:
    assert resumed(an_id((HERE, "offset", 7), (THERE, "offset", -1))) == [(HERE, "offset", 7), (THERE, "offset", -1)]


def test_of_several_wikis_the_earliest_place_in_each_topic_counts() -> None:
    one = an_id((HERE, "timestamp", NOW + 5), (THERE, "timestamp", NOW))
    other = an_id((HERE, "timestamp", NOW), (THERE, "timestamp", NOW + 5))

    assert resumed(one, other) == [(HERE, "timestamp", NOW - REWIND_MS), (THERE, "timestamp", NOW - REWIND_MS)]


@pytest.mark.parametrize("is_turned", [False, True])
def test_an_offset_is_earlier_than_a_moment_of_the_same_topic(is_turned: bool) -> None:
    ids = [an_id((HERE, "timestamp", NOW - 99)), an_id((HERE, "offset", 7))]

    assert resumed(*(reversed(ids) if is_turned else ids)) == [(HERE, "offset", 7)]


def test_partitions_of_a_topic_have_places_of_their_own() -> None:
    event_id = json.dumps([{"topic": HERE, "partition": number, "offset": 10 - number} for number in range(3)])

    assert [part["offset"] for part in json.loads(resume_from([event_id]))] == [10, 9, 8]


@pytest.mark.parametrize("event_id", ["", "17", "abc", "{}", "[7]", '[{"topic":7}]', '[{"topic":[],"partition":0}]'])
def test_an_id_that_is_made_otherwise_is_taken_as_it_is(event_id: str) -> None:
    assert resume_from([event_id, "other"]) == event_id


IDS = st.lists(
    st.fixed_dictionaries(
        {"topic": st.sampled_from([HERE, THERE]), "partition": st.integers(0, 1)},
        optional={"timestamp": st.integers(0, 2**45), "offset": st.integers(-1, 2**40)},
    ),
    min_size=1,
    max_size=4,
).map(json.dumps)


@settings(max_examples=examples(200))
@given(st.lists(IDS, min_size=1, max_size=4))
def test_nothing_is_after_the_place_of_any_wiki(event_ids: list[str]) -> None:
    result = {(part["topic"], part["partition"]): part for part in json.loads(resume_from(event_ids))}

    for part in (part for event_id in event_ids for part in json.loads(event_id)):
        place = result[part["topic"], part["partition"]]
        if "timestamp" in place and "timestamp" in part and part.get("offset", -1) < 0:
            assert place["timestamp"] <= part["timestamp"] - REWIND_MS
        if place.get("offset", -1) >= 0 and part.get("offset", -1) >= 0:
            assert place["offset"] <= part["offset"]


@settings(max_examples=examples(200))
@example(['[{"topic":"t","partition":0,"timestamp":"1"}]'])
@example(['[{"topic":"t","partition":0,"timestamp":null}]'])
@example(['[{"topic":"t","partition":0,"timestamp":1e999}]'])
@example(['[{"topic":"t","partition":0,"offset":{}}]'])
@given(
    st.lists(
        st.text(max_size=20)
        | st.lists(
            st.dictionaries(
                st.sampled_from(["topic", "partition", "offset", "timestamp"]),
                st.none() | st.integers() | st.floats() | st.text(max_size=3),
            )
        ).map(json.dumps),
        min_size=1,
        max_size=3,
    )
)
def test_no_id_however_odd_is_more_than_an_id(event_ids: list[str]) -> None:
    assert isinstance(resume_from(event_ids), str)


def test_a_position_is_remembered_for_each_stream(database: Database) -> None:
    with database.transaction() as session:
        remember(session, SOURCE, "one")
        remember(session, SOURCE + ",other", "other")
    with database.transaction() as session:
        remember(session, SOURCE, "two")

    with database.reading() as connection:
        assert position(connection, SOURCE) == "two"
        assert position(connection, SOURCE + ",other") == "other"
        assert position(connection, "never heard of") is None


def test_a_transaction_that_is_rolled_back_leaves_neither_edit_nor_position(database: Database) -> None:
    with database.transaction() as session:
        save_edit(session, an_edit())
        remember(session, SOURCE, "one")
        session.rollback()

    with database.reading() as connection:
        assert position(connection, SOURCE) is None
    assert count(database, revision) == 0
