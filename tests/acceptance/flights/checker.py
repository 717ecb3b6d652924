"""Judges a run of many callers by the endpoint's call log, the callers' records and what was done to them. Pure.

A call *holds* its lease from when its process was about to call (it then has the lease) until it told that the call had
ended (the lease is released next), each with `SLACK_SECONDS` for what lies between record and lease; a process that
never told holds it for good. Of a process without records, only a time around the call is known: `unseen_seconds`.

A call is *expired* if, while it held, its process was killed or stopped, or all leases were lost. It is *failed* if the
endpoint refused it or its process took no answer from it. Neither is excused by time alone. The rules, for each id:

- overlap: of two calls under way at once, one expired before the second began, or the first had failed by then.
- repeated: calls ≤ 1 + calls whose process was killed or stopped + failed calls + losses of all leases in its lifetime.
- bodies: distinct answers ≤ 1 + such losses after a first call had succeeded, for its answer was lost too.
- made up: no answer without a call that succeeded, and no call by a process that did not say it would make it.
- hanging: every request has ended, unless its process was killed.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from tests.acceptance.flights.records import Call, Record

#: Between a lease in Redis or the database and the record of it, on a busy machine: who goes on after it was stopped
#: may have to wait for a core before it writes one.
SLACK_SECONDS = 1.0

Rule = Literal["overlap", "repeated", "bodies", "made up", "hanging"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disruption:
    """What was done to one process; or, with no process, a time in which all leases were lost."""

    start: float
    end: float
    process: str | None = None
    #: Rather than stopped and continued.
    killed: bool = False


@dataclass(frozen=True, slots=True)
class Violation:
    rule: Rule
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, and how much there was to look at."""

    violations: list[Violation]
    #: For one id each; an HTTP call may be several.
    calls: int
    ids: int
    #: Calls whose lease expired or was lost.
    expired: int
    failed: int
    #: Calls beyond the first for their id.
    again: int
    overlaps: int
    answers: int
    errors: int


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One id's share of a call."""

    call: Call
    #: Whether its process said that it would make it.
    is_announced: bool
    #: When its process told that it had ended; infinity if it never did.
    ended_at: float
    #: When its process took no answer from it.
    failed_at: float | None
    #: What ended its lease while it was held.
    expiries: tuple[Disruption, ...]

    def is_over(self, moment: float) -> bool:
        """Whether its lease may have ended before *moment*, though the call had not."""
        expired = any(expiry.start <= moment for expiry in self.expiries)
        return expired or (self.failed_at is not None and self.failed_at <= moment)


@dataclass(slots=True)
class _History:
    """All about one id."""

    score_id: str
    attempts: list[_Attempt]
    records: list[Record]
    #: Losses of all leases in its lifetime.
    losses: list[Disruption]

    def violations(self) -> Iterator[Violation]:
        yield from self._overlaps()
        yield from self._repeated()
        bodies = {record.body for record in self.records if record.what == "answered" and record.body is not None}
        succeeded = min((attempt.ended_at for attempt in self.attempts if attempt.failed_at is None), default=math.inf)
        lost = sum(loss.end >= succeeded for loss in self.losses)
        if len(bodies) > 1 + lost:
            yield self._violation("bodies", f"{len(bodies)} answers, {lost} losses: {sorted(bodies)}")
        if bodies and not any(attempt.failed_at is None for attempt in self.attempts):
            yield self._violation("made up", "an answer, and no call that succeeded")
        for attempt in self.attempts:
            if not attempt.is_announced:
                yield self._violation("made up", f"a call that its process did not announce: {attempt.call}")

    def overlapping(self) -> list[tuple[_Attempt, _Attempt]]:
        ordered = sorted(self.attempts, key=lambda attempt: attempt.call.start)
        return [(one, other) for one, other in combinations(ordered, 2) if other.call.start < one.call.end]

    def _overlaps(self) -> Iterator[Violation]:
        for one, other in self.overlapping():
            moment = other.call.start
            if not (one.is_over(moment) or any(expiry.start <= moment for expiry in other.expiries)):
                yield self._violation("overlap", f"{one.call} and {other.call}")

    def _repeated(self) -> Iterator[Violation]:
        again = sum(
            attempt.failed_at is not None or any(expiry.process for expiry in attempt.expiries)
            for attempt in self.attempts
        )
        if len(self.attempts) > 1 + again + len(self.losses):
            yield self._violation(
                "repeated", f"{len(self.attempts)} calls, {again} expired or failed, {len(self.losses)} losses"
            )

    def _violation(self, rule: Rule, text: str) -> Violation:
        return Violation(rule, self.score_id, text)


def check(
    calls: Iterable[Call], records: Iterable[Record], disruptions: Sequence[Disruption], *, unseen_seconds: float = 0
) -> Findings:
    """Judge a run; *unseen_seconds* is how long before and after its call a process without records may hold."""
    calls, records = list(calls), list(records)
    histories = list(_histories(calls, records, disruptions, unseen_seconds))
    killed = {disruption.process for disruption in disruptions if disruption.killed}
    hanging = _unanswered(records, killed)
    attempts = [attempt for history in histories for attempt in history.attempts]
    answered = [record for record in records if record.what == "answered"]
    return Findings(
        violations=[violation for history in histories for violation in history.violations()] + hanging,
        calls=len(attempts),
        ids=len(histories),
        expired=sum(bool(attempt.expiries) for attempt in attempts),
        failed=sum(attempt.failed_at is not None for attempt in attempts),
        again=sum(max(0, len(history.attempts) - 1) for history in histories),
        overlaps=sum(len(history.overlapping()) for history in histories),
        answers=sum(record.body is not None for record in answered),
        errors=sum(record.body is None for record in answered),
    )


def _histories(
    calls: Sequence[Call], records: Sequence[Record], disruptions: Sequence[Disruption], unseen_seconds: float
) -> Iterator[_History]:
    calls_of: dict[str, list[Call]] = defaultdict(list)
    records_of: dict[str, list[Record]] = defaultdict(list)
    for call in calls:
        for score_id in call.ids:
            calls_of[score_id].append(call)
    for record in records:
        records_of[record.score_id].append(record)
    recording = {record.process for record in records}
    for score_id in sorted({*calls_of, *records_of}):
        mine = records_of[score_id]
        attempts = [
            _announced(call, mine, disruptions)
            if call.process in recording
            else _unseen(call, disruptions, unseen_seconds)
            for call in calls_of[score_id]
        ]
        moments = [record.at for record in mine] + [call.start for call in calls_of[score_id]]
        losses = [loss for loss in disruptions if loss.process is None and _meets(loss, min(moments), max(moments))]
        yield _History(score_id, attempts, mine, losses)


def _announced(call: Call, records: Sequence[Record], disruptions: Sequence[Disruption]) -> _Attempt:
    """The attempt behind *call*, told by its process' last announcement before it; *records* are those of the id."""
    ours = [record for record in records if record.process == call.process]
    callings = [record for record in ours if record.what == "calling" and record.at <= call.start]
    if not callings:
        return _Attempt(call, False, call.end, call.end if call.is_failed else None, ())
    calling = max(callings, key=lambda record: record.at)
    ended = [
        record
        for record in ours
        if record.what == "called" and (record.thread, record.request) == (calling.thread, calling.request)
        # A request may call for an id again, if a holder it waited for died.
        if record.at >= calling.at
    ]
    called = min(ended, key=lambda record: record.at, default=None)
    ended_at = called.at if called else math.inf
    failed_at = ended_at if called and called.failure else call.end if call.is_failed else None
    expiries = _expiries(call, calling.at - SLACK_SECONDS, ended_at + SLACK_SECONDS, disruptions)
    return _Attempt(call, True, ended_at, failed_at, expiries)


def _unseen(call: Call, disruptions: Sequence[Disruption], seconds: float) -> _Attempt:
    failed_at = call.end if call.is_failed else None
    expiries = _expiries(call, call.start - seconds, call.end + seconds, disruptions)
    return _Attempt(call, True, call.end, failed_at, expiries)


def _expiries(call: Call, since: float, until: float, disruptions: Sequence[Disruption]) -> tuple[Disruption, ...]:
    return tuple(
        disruption
        for disruption in disruptions
        if disruption.process in {None, call.process} and _meets(disruption, since, until)
    )


def _meets(disruption: Disruption, since: float, until: float) -> bool:
    return disruption.start <= until and disruption.end >= since


def _unanswered(records: Iterable[Record], killed: set[str | None]) -> list[Violation]:
    asked: dict[tuple[str, int, int, str], Record] = {}
    for record in records:
        key = (record.process, record.thread, record.request, record.score_id)
        if record.what == "asked":
            asked[key] = record
        elif record.what == "answered":
            asked.pop(key, None)
    return [
        Violation("hanging", record.score_id, f"never answered: {record}")
        for record in asked.values()
        if record.process not in killed
    ]
