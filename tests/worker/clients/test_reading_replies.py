"""Replies that are read as a whole, or entry by entry where one is invalid: what is said of those that are neither."""

from typing import Any

import pytest
from pydantic import ValidationError

from worker.domain.scores import NoAnswer, ScoreId
from worker.endpoints.lift_wing_servers import LiftWingNames, OutlinkTopic, RevertRisk
from worker.endpoints.replies import OresReply, ReadsReply, first_problem


@pytest.mark.parametrize(
    ("reader", "content", "problem"),
    [
        (RevertRisk.reply, b"{}", "predictions: Field required"),
        (RevertRisk.reply, b'{"predictions":[{"x":1}],"errors":5}', "errors: Input should be a valid array"),
        (OresReply, b'{"enwiki":5}', "enwiki: Input should be an object"),
        (OresReply, b'{"enwiki":{"models":5}}', "enwiki.models: Input should be an object"),
    ],
)
def test_what_is_wrong_with_a_reply_is_said_in_its_own_words(
    reader: ReadsReply[Any], content: bytes, problem: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        reader.validate_json(content)

    assert first_problem(caught.value) == problem


@pytest.mark.parametrize("reader", [RevertRisk.reply, OresReply], ids=["revert risk", "ores"])
def test_no_value_of_a_reply_gets_into_the_text_of_an_error(reader: ReadsReply[Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        reader.validate_json(b'{"predictions":"SECRET"}')

    assert "SECRET" not in str(caught.value)


def test_a_reply_without_topics_holds_no_probability() -> None:
    server, score_id = OutlinkTopic(), ScoreId("enwiki", "outlinktopic", 7, "1", 3)
    reply = server.reply.validate_json(b'{"prediction":{"results":[]}}')

    answers = server.answers(reply, [score_id], LiftWingNames("en", "outlink-topic-model"))

    assert answers == {score_id: NoAnswer("the reply is not right: it holds no probability")}
