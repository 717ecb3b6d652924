"""What the front door did is a line of counts now and then, with ORES' names and nobody's address."""

from typing import Any

from structlog.testing import capture_logs

from tests.builders import a_score, a_score_error
from tests.clock import Clock
from worker.domain.failures import Failure
from worker.domain.scores import Answer, NoAnswer
from worker.web.counting import EVERY_SECONDS, Counts
from worker.web.questions import Question
from worker.web.scoring import Scored


def scored(*answers: Answer, cached: int = 0, is_precache: bool = False) -> Scored:
    by_revision = {revision: {"damaging": answer} for revision, answer in enumerate(answers, 1)}
    question = Question("enwiki", ("damaging",), tuple(by_revision), is_precache=is_precache)
    return Scored(question=question, versions={}, answers=by_revision, cached=cached)


def logged(clock: Clock, counts: Counts) -> list[Any]:
    with capture_logs() as lines:
        clock.now += EVERY_SECONDS
        counts.replied(200)
    return [{name: value for name, value in line.items() if name not in {"event", "log_level"}} for line in lines]


def test_requests_revisions_and_what_became_of_them_are_counted() -> None:
    counts = Counts(clock := Clock())
    counts.scored(scored(a_score(), a_score(), a_score_error(), NoAnswer("late", Failure.LATE), cached=2))

    assert logged(clock, counts) == [
        {
            "scores_request": 1,
            "revision_scored": 4,
            "score_cache_hit": 2,
            "score_cache_miss": 2,
            "score_errored": 1,
            "score_timed_out": 1,
            "response_200": 1,
        }
    ]


def test_precaching_is_counted_apart() -> None:
    counts = Counts(clock := Clock())
    counts.scored(scored(a_score(), is_precache=True))

    (line,) = logged(clock, counts)
    assert line["precache_request"] == 1
    assert "scores_request" not in line


def test_there_is_a_line_once_in_a_while_only() -> None:
    counts = Counts(clock := Clock())
    with capture_logs() as lines:
        for _ in range(100):
            counts.replied(200)

    assert lines == []
    assert logged(clock, counts) == [{"response_200": 101}]
    with capture_logs() as lines:
        counts.tell()
    assert lines == []
