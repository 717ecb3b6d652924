"""What a worker writes to its log: JSON lines on standard error, with ids in fields."""

import json
import os
import subprocess
import sys
from typing import Any

from structlog.testing import capture_logs

from outbox import Claim, Dead, Delivered, Outcome, RetryLater
from outbox.backoff import FIRST
from tests.builders import a_claim
from worker.config.telemetry import EVENTS, tell_batch
from worker.domain.redis_refusals import CURES

LOG_SOMETHING = """
import logging
from redis.exceptions import ReadOnlyError
from worker.config.telemetry import configure_logging, log
configure_logging({level!r})
log.info("edits_settled", wiki="viwiki", title="Thể loại")
log.warning("lease_lost", messages=[1, 2], error={hostile!r})
logging.getLogger("celery.worker").warning("from %s", "elsewhere")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("celery").exception("failed")
for _ in range(3):
    try:
        raise ReadOnlyError("no writing here", status_code="READONLY")
    except ReadOnlyError:
        logging.getLogger("kombu.transport.redis").warning("%s", "a timer: will retry", exc_info=True)
"""
#: What is logged of a Redis that refuses, once however often it is logged.
WITHOUT_STACK = f"a timer: will retry: READONLY no writing here; {CURES['READONLY']}"


#: Its direction override and its one-character CSI are what JSON leaves as they are.
HOSTILE = "\x1b[2J\r\n\x9b2J\u202e"


def written(level: str, encoding: str = "utf-8") -> bytes:
    """What a process of its own writes, since logging is the whole process'."""
    program = LOG_SOMETHING.format(level=level, hostile=HOSTILE)
    variables = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=variables)
    assert done.stdout == b""
    return done.stderr


def logged(level: str, encoding: str = "utf-8") -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(level, encoding).splitlines()]


def test_every_line_is_json_with_time_level_and_event() -> None:
    lines = logged("INFO")

    assert [line["event"] for line in lines] == [
        "edits_settled",
        "lease_lost",
        "from elsewhere",
        "failed",
        WITHOUT_STACK,
    ]
    assert [line["level"] for line in lines] == ["info", "warning", "warning", "error", "warning"]
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert lines[0]["wiki"] == "viwiki"
    assert lines[0]["title"] == "Thể loại"
    assert lines[3]["exception"].endswith("ZeroDivisionError: division by zero")
    assert "exception" not in lines[4]


def test_no_line_has_power_over_a_terminal() -> None:
    text = written("WARNING").decode()

    assert "\\u009b2J\\u202e" in text
    assert not set(text) & set("\x1b\r\x9b\u202e")
    assert json.loads(text.splitlines()[0])["error"] == HOSTILE


def test_every_line_is_json_where_letters_can_not_be_written() -> None:
    assert logged("INFO", "ascii")[0]["title"] == "Thể loại"


def test_lines_below_the_level_are_left_out() -> None:
    assert [line["event"] for line in logged("WARNING")] == [
        "lease_lost",
        "from elsewhere",
        "failed",
        WITHOUT_STACK,
    ]


def test_the_line_of_a_batch_counts_how_its_claims_ended() -> None:
    delivered, retried, dead, lost = (a_claim(message=number) for number in range(1, 5))
    outcomes: dict[Claim, Outcome] = {
        delivered: Delivered(),
        retried: RetryLater(FIRST, "down"),
        dead: Dead("undecodable", "no edit"),
        lost: Delivered(),
    }

    with capture_logs() as logs:
        tell_batch("edits_settled", "enwiki", outcomes, {delivered, retried, dead}, 0.0, called=5)

    assert {**logs[0], "milliseconds": 0} == {
        "event": "edits_settled",
        "log_level": "info",
        "wiki": "enwiki",
        "claimed": 4,
        "delivered": 1,
        "retried": 1,
        "dead": 1,
        "lost": 1,
        "milliseconds": 0,
        "called": 5,
    }


def test_messages_that_were_lost_or_buried_are_named() -> None:
    dead, lost = a_claim(message=3), a_claim(message=4)

    with capture_logs() as logs:
        tell_batch("edits_settled", "enwiki", {dead: Dead("undecodable", "no edit"), lost: Delivered()}, {dead}, 0.0)

    assert {line["event"]: line.get("messages", line.get("message")) for line in logs[1:]} == {
        "lease_lost": [4],
        "message_given_up": 3,
    }


def test_a_lost_lease_buries_nothing() -> None:
    claim = a_claim()

    with capture_logs() as logs:
        tell_batch("edits_settled", "enwiki", {claim: Dead("undecodable", "no edit")}, frozenset(), 0.0)

    assert [line["event"] for line in logs] == ["edits_settled", "lease_lost"]


def test_the_names_of_log_events_are_explained() -> None:
    assert all(name.isidentifier() and name.islower() and EVENTS[name] for name in EVENTS)
