"""How much an endpoint is asked at once, by all workers together: rate, concurrency, and a circuit. Pure.

All workers share one `State` an endpoint. Each says in an *exchange* what has become of its requests and how many it
wants to send, and is told how many it may, and when. Times are seconds on the clock of whoever keeps the state.

- Rate: request starts are spaced evenly (generic cell rate algorithm, ITU-T I.371), a little below the limit, so that
  no second holds more than the limit allows even if some start late.
- Concurrency: slots, of which nobody takes more than a fair share; a worker that dies loses its slots after a while.
- Adaptive: refusals halve the rate, slow replies lower it by a fifth; served requests raise it again, at most to the
  limit.
- Circuit: requests in a row that served nobody open it, and one refusal does where nobody was served lately; then one
  request probes, and closes it or opens it for longer.
"""

from dataclasses import dataclass, field
from typing import Literal

from worker.domain.failures import REFUSED_SECONDS

#: Starts are granted this far ahead, and may be this late.
LEAD_SECONDS = 0.25
#: Who waits for a slot and asks no more for so long does not count any more.
WAITING_SECONDS = 1.0
LATE_SECONDS = 0.05
#: So many seconds' worth of requests may start at once after a lull.
BURST_SECONDS = 0.05
#: By how much the spacing exceeds the even one: late starts and bursts together stay within the limit.
SLACK = 1.0 + LATE_SECONDS + BURST_SECONDS + 0.02

CHANGE_SECONDS = 1.0
RAISE_BY = 0.1
LOWER_BY = 0.5
SLOW_LOWER_BY = 0.8
LOWEST_RATE = 0.1

OUTAGES_TO_OPEN = 5
#: Where nobody was served for so long, one refusal opens the circuit.
SERVES_SECONDS = 10.0
#: For so long a refusal is an alarm; what was refused is asked for again much sooner.
REFUSAL_COUNTS_SECONDS = 6 * REFUSED_SECONDS
FIRST_OPEN_SECONDS = 1.0
LONGEST_OPEN_SECONDS = 60.0

Turn = Literal["opened", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """What is never exceeded."""

    requests_per_second: float
    concurrency: int
    #: Replies that take longer on average say that the endpoint is overloaded.
    slow_seconds: float
    #: After so long a request has ended one way or the other.
    timeout_seconds: float

    def divided_by(self, members: int) -> "Ceilings":
        """A fair share, for a worker that can't speak with the others."""
        return Ceilings(
            requests_per_second=self.requests_per_second / members,
            concurrency=max(1, self.concurrency // members),
            slow_seconds=self.slow_seconds,
            timeout_seconds=self.timeout_seconds,
        )


@dataclass(slots=True)
class Report:
    """What became of a worker's requests since it last told."""

    served: int = 0
    throttled: int = 0
    outages: int = 0
    #: Those of the outages that were refusals for no revision's fault.
    refused: int = 0
    #: Of the requests served, in sum.
    seconds: float = 0.0
    #: For how long the endpoint wants to be left alone.
    pause: float = 0.0
    #: Why the last of the outages was one, and the last of the refusals.
    reason: str = ""
    refusal: str = ""

    def plus(self, other: "Report") -> "Report":
        """Both in one."""
        return Report(
            served=self.served + other.served,
            throttled=self.throttled + other.throttled,
            outages=self.outages + other.outages,
            refused=self.refused + other.refused,
            seconds=self.seconds + other.seconds,
            pause=max(self.pause, other.pause),
            reason=other.reason or self.reason,
            refusal=other.refusal or self.refusal,
        )


@dataclass(slots=True)
class State:
    """What the workers know of one endpoint."""

    #: When the last of them told or asked.
    told_at: float = 0.0
    #: Requests a second at present; none has been set yet if 0.
    rate: float = 0.0
    changed_at: float = 0.0
    lowered_at: float = 0.0
    #: The earliest start of the request after the last one that was granted.
    next_start: float = 0.0
    #: Requests granted in the window of a second that began then, and the rate of the one before.
    window_began: float = 0.0
    window_count: int = 0
    recent_rate: float = 0.0
    paused_until: float = 0.0
    outages: int = 0
    #: More than 0 unless the circuit is closed; in the past if it is half open.
    open_until: float = 0.0
    openings: int = 0
    probing_until: float = 0.0
    #: When somebody was served last.
    served_at: float = 0.0
    #: Of the last outage, and of the last refusal while the circuit is not known to have closed since.
    reason: str = ""
    refusal: str = ""
    refused_at: float = 0.0
    #: Worker to its slots, and until when they are its own.
    members: dict[str, tuple[int, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a worker may do."""

    #: Requests it may start, the first after *delay* seconds (at once if negative), the others each *interval* later.
    requests: int = 0
    delay: float = 0.0
    interval: float = 0.0
    #: Requests it may have under way.
    slots: int = 0
    #: Nothing for so many seconds: the circuit is open, or the endpoint wants to be left alone.
    pause: float = 0.0
    is_half_open: bool = False
    rate: float
    members: int
    turn: Turn | None = None
    #: Why the circuit is open, if it is.
    reason: str = ""


def exchange(
    state: State, ceilings: Ceilings, member: str, report: Report, *, in_flight: int, want: int, now: float
) -> Grant:
    """Learn from *report*, and grant *member* some of the *want* requests; changes *state*.

    *in_flight* requests of the member are under way. One that wants nothing and has none under way gives its slots
    back.
    """
    ceiling, state.told_at = ceilings.requests_per_second, now
    state.rate = min(state.rate or ceiling, ceiling)
    turn = _learn_of_outages(state, report, now)
    _adapt(state, ceilings, report, now)
    state.members = {name: slots for name, slots in state.members.items() if slots[1] > now and name != member}
    held_by_others = sum(slots for slots, _ in state.members.values())
    members = len(state.members) + 1
    pause = max(state.paused_until, state.open_until) - now
    is_half_open = pause <= 0 < state.open_until
    if is_half_open:
        pause, want = min(state.probing_until - now, FIRST_OPEN_SECONDS), min(want, 1)
    if pause > 0:
        want = 0
    lasts = ceilings.timeout_seconds + LEAD_SECONDS + LATE_SECONDS
    slots = _slots(ceilings, held_by_others, members, in_flight, want)
    interval = SLACK / state.rate
    # A probe that finds no slot would keep everybody waiting for nothing.
    may_start = slots > in_flight if is_half_open else slots > 0
    requests, delay = _starts(state, interval, want if may_start else 0, now)
    if is_half_open and requests:
        state.probing_until = now + lasts
    if slots or want:
        # Who waits for a slot counts too, or those who have them all would keep them.
        state.members[member] = (slots, now + (lasts if slots else WAITING_SECONDS))
    return Grant(
        requests=requests,
        delay=delay,
        interval=interval,
        slots=slots,
        pause=max(0.0, pause),
        is_half_open=is_half_open,
        rate=state.rate,
        members=members,
        turn=turn,
        reason=state.reason if state.open_until else "",
    )


def alarm(state: State, now: float) -> str | None:
    """What operators must know of an endpoint: why nobody is served, or why somebody was refused not long ago."""
    if state.open_until:
        return f"nobody is served: {state.reason or 'no reason was told'}"
    if state.refusal and now - state.refused_at < REFUSAL_COUNTS_SECONDS:
        return f"refused {max(0.0, now - state.refused_at):.0f} s ago: {state.refusal}"
    return None


def _learn_of_outages(state: State, report: Report, now: float) -> Turn | None:
    """Open, keep open, or close the circuit."""
    was_open = state.open_until > 0
    if report.throttled:
        # That probe has ended, and told neither way.
        state.probing_until = min(state.probing_until, now + FIRST_OPEN_SECONDS)
    state.paused_until = max(state.paused_until, now + report.pause if report.pause else 0.0)
    if report.served and was_open:
        state.refusal = ""
    state.reason = report.reason or state.reason
    if report.refusal:
        state.refusal, state.refused_at = report.refusal, now
    if report.served:
        state.outages = state.openings = 0
        state.open_until = state.probing_until = 0.0
        state.served_at = now
        return "closed" if was_open else None
    if not report.outages:
        return None
    state.outages += report.outages
    if report.refusal and now - state.served_at > SERVES_SECONDS:
        # A refusal is nothing that passes in a moment, and here it contradicts no other reply.
        state.outages = max(state.outages, OUTAGES_TO_OPEN)
    if state.outages < OUTAGES_TO_OPEN or (was_open and now < state.open_until):
        return None
    state.open_until = now + min(LONGEST_OPEN_SECONDS, FIRST_OPEN_SECONDS * 2.0**state.openings)
    state.openings = min(state.openings + 1, 30)
    state.probing_until = 0.0
    return None if was_open else "opened"


def _adapt(state: State, ceilings: Ceilings, report: Report, now: float) -> None:
    """Lower the rate where the endpoint shows that it is too much, raise it where it serves; each once a second."""
    if now - state.window_began >= CHANGE_SECONDS:
        state.recent_rate = state.window_count / (now - state.window_began) if state.window_began else 0.0
        state.window_began, state.window_count = now, 0
    ceiling = ceilings.requests_per_second
    is_slow = bool(report.served) and report.seconds / report.served > ceilings.slow_seconds
    # A refusal says nothing of how much is too much.
    fails_some = bool(report.served) and report.outages > report.refused
    if report.throttled or is_slow or fails_some:
        # Not held up by a raise, which may be what was too much.
        if now - state.lowered_at >= CHANGE_SECONDS:
            state.rate = max(min(LOWEST_RATE, ceiling), _lowered(state, report))
            state.lowered_at = state.changed_at = now
    elif report.served and state.rate < ceiling and now - state.changed_at >= CHANGE_SECONDS:
        state.rate = min(ceiling, state.rate + ceiling * RAISE_BY)
        state.changed_at = now


def _lowered(state: State, report: Report) -> float:
    if not report.throttled and not report.outages:
        return state.rate * SLOW_LOWER_BY
    # What was not used up has caused no refusal, and would cause none if it were halved.
    used = max(state.recent_rate, state.window_count / CHANGE_SECONDS)
    return min(state.rate, used or state.rate) * LOWER_BY


def _slots(ceilings: Ceilings, held_by_others: int, members: int, in_flight: int, want: int) -> int:
    """Slots for one who has *in_flight* and wants more: of what is free, a fair share; never less than it uses."""
    fair = max(1, ceilings.concurrency // members)
    free = max(0, ceilings.concurrency - held_by_others)
    return max(in_flight, min(in_flight + want, fair, free))


def _starts(state: State, interval: float, want: int, now: float) -> tuple[int, float]:
    """Reserve up to *want* starts, none further ahead than the lead; returns how many, and the delay of the first."""
    first = max(state.next_start, now - BURST_SECONDS)
    within_lead = int((now + LEAD_SECONDS - first) / interval) + 1 if first <= now + LEAD_SECONDS else 0
    requests = min(want, within_lead)
    if not requests:
        return 0, 0.0
    state.next_start = first + requests * interval
    state.window_count += requests
    return requests, first - now
