"""How many requests all worker processes together send to an endpoint: its rate, and how many at once. Pure.

The processes share one `State` an endpoint. In an *exchange* each reports what became of its requests and what it
wants, and gets what it may have. Times are seconds on the clock of the state's keeper.

- Concurrency: each process at work owns an even share of the places, and gives back what is more as its requests end.
  Nothing is lent. If there are fewer places than processes, they go round, a second each.
- Rate: starts are sold a lot at a time and evenly spaced (generic cell rate algorithm, ITU-T I.371), a little below the
  limit, so that no second holds more than the limit allows even if some start late.
- Being throttled halves the rate, slow replies lower it by a fifth; served requests raise it, at most to the limit.
"""

from dataclasses import dataclass, field

from worker.domain.failures import REFUSED_SECONDS

#: Starts are sold at most so far ahead, and may be so late.
LEAD_SECONDS = 0.25
LATE_SECONDS = 0.05
#: As many requests as in so many seconds may start at once after a pause.
BURST_SECONDS = 0.05
#: How much wider than even the spacing is, so that late starts and bursts together stay within the limit.
SLACK = 1.0 + LATE_SECONDS + BURST_SECONDS + 0.02
#: A process that waits for a place but does not ask for so long no longer counts.
WAITING_SECONDS = 1.0

CHANGE_SECONDS = 1.0
RAISE_BY = 0.1
LOWER_BY = 0.5
SLOW_LOWER_BY = 0.8
LOWEST_RATE = 0.1

#: For so long a reported outage or refusal is an alarm; both are reported again much sooner while they last.
ALARM_SECONDS = 6 * REFUSED_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """What is never exceeded."""

    requests_per_second: float
    concurrency: int
    #: Replies that take longer on average say that the endpoint is overloaded.
    slow_seconds: float
    #: After so long a request has ended in any case.
    timeout_seconds: float
    #: How many processes there may be that have not reported yet.
    processes: int = 1

    @property
    def lease_seconds(self) -> float:
        """How long a place belongs to its process: by then the last request that an exchange allows has ended."""
        return LEAD_SECONDS + LATE_SECONDS + self.timeout_seconds

    def divided_by(self, processes: int) -> "Ceilings":
        """An even share, for a process that can't reach the shared state; one place at least."""
        return Ceilings(
            requests_per_second=self.requests_per_second / processes,
            concurrency=max(1, self.concurrency // processes),
            slow_seconds=self.slow_seconds,
            timeout_seconds=self.timeout_seconds,
        )


@dataclass(slots=True)
class Report:
    """What became of a process' requests since its last report."""

    served: int = 0
    throttled: int = 0
    #: Of the requests served, in sum.
    seconds: float = 0.0
    #: For how long the endpoint wants to be left alone.
    pause: float = 0.0
    #: Why nobody is served, if so, and the last refusal that is no revision's fault.
    outage: str = ""
    refusal: str = ""

    def plus(self, other: "Report") -> "Report":
        """Both in one, *other* being the later."""
        return Report(
            served=self.served + other.served,
            throttled=self.throttled + other.throttled,
            seconds=self.seconds + other.seconds,
            pause=max(self.pause, other.pause),
            outage=other.outage or self.outage,
            refusal=other.refusal or self.refusal,
        )

    @property
    def matters(self) -> bool:
        """Whether the others must hear of it at once."""
        return bool(self.throttled or self.pause or self.outage or self.refusal)


@dataclass(slots=True)
class State:
    """What the processes know of one endpoint."""

    #: Since when it is known; 0 before the first exchange.
    since: float = 0.0
    #: When the last of them told or asked.
    told_at: float = 0.0
    #: Requests a second at present; none has been set yet if 0.
    rate: float = 0.0
    changed_at: float = 0.0
    lowered_at: float = 0.0
    #: The earliest start of the request after the last one that was sold.
    next_start: float = 0.0
    #: Requests sold in the window of a second that began then, and the rate of the one before.
    window_began: float = 0.0
    window_count: int = 0
    recent_rate: float = 0.0
    paused_until: float = 0.0
    outage: str = ""
    outage_at: float = 0.0
    refusal: str = ""
    refused_at: float = 0.0
    #: Process to its places, and until when they are its own.
    members: dict[str, tuple[int, float]] = field(default_factory=dict)
    #: Processes that asked for a start in vain, the first one first, to the moment until which they are waited for.
    in_vain: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a process may do."""

    #: Requests it may start, the first after *delay* seconds (at once if negative), the others each *interval* later.
    starts: int = 0
    delay: float = 0.0
    interval: float = 0.0
    #: Requests it may have under way; none is started while there are more.
    places: int = 0
    #: Nothing for so many seconds: the endpoint wants to be left alone.
    pause: float = 0.0
    #: Seconds after which it makes sense to ask for more starts.
    again: float = 0.0
    rate: float
    #: Processes at work, this one included.
    members: int


def exchange(
    state: State,
    ceilings: Ceilings,
    member: str,
    report: Report,
    *,
    in_flight: int,
    waiting: int,
    want: int,
    now: float,
) -> Grant:
    """Learn from *report*, and tell *member* what it may; changes *state*.

    It has *in_flight* requests under way, *waiting* ones wait, and *want* of these could start within the lead. Who has
    neither gives its places back.
    """
    state.since, state.told_at = state.since or now, now
    state.rate = min(state.rate or ceilings.requests_per_second, ceilings.requests_per_second)
    _note(state, report, now)
    _adapt(state, ceilings, report, now)
    state.members = {name: held for name, held in state.members.items() if held[1] > now and name != member}
    members = len(state.members) + 1
    places = _places(state, ceilings, member, in_flight, waiting, now)
    pause, interval = state.paused_until - now, SLACK / state.rate
    want = min(want, waiting) if places and pause <= 0 else 0
    starts, delay = _starts(state, interval, want, member, members, now)
    if in_flight or waiting:
        # Also without a place, or those who have them all would keep them.
        held = max(in_flight, places)
        state.members[member] = (held, now + (ceilings.lease_seconds if held else WAITING_SECONDS))
    return Grant(
        starts=starts,
        delay=delay,
        interval=interval,
        places=places,
        pause=max(0.0, pause),
        again=max(0.0, state.next_start - now - (LEAD_SECONDS if member in state.in_vain else LEAD_SECONDS / 2)),
        rate=state.rate,
        members=members,
    )


def alarm(state: State, now: float) -> str | None:
    """What operators must know of an endpoint: why nobody is served, or why somebody was refused not long ago."""
    if state.outage and now - state.outage_at < ALARM_SECONDS:
        return f"nobody is served: {state.outage}"
    if state.refusal and now - state.refused_at < ALARM_SECONDS:
        return f"refused {max(0.0, now - state.refused_at):.0f} s ago: {state.refusal}"
    return None


def _note(state: State, report: Report, now: float) -> None:
    """Keep what others must know: that it wants to be left alone, and why nobody is served."""
    state.paused_until = max(state.paused_until, now + report.pause if report.pause else 0.0)
    if report.served:
        if state.outage:
            # What was refused while nobody was served has gone with it.
            state.refusal = ""
        state.outage = ""
    if report.outage:
        state.outage, state.outage_at = report.outage, now
    if report.refusal:
        state.refusal, state.refused_at = report.refusal, now


def _adapt(state: State, ceilings: Ceilings, report: Report, now: float) -> None:
    """Lower the rate where the endpoint shows that it is too much, raise it where it serves; each once a second."""
    if now - state.window_began >= CHANGE_SECONDS:
        state.recent_rate = state.window_count / (now - state.window_began) if state.window_began else 0.0
        state.window_began, state.window_count = now, 0
    ceiling = ceilings.requests_per_second
    is_slow = bool(report.served) and report.seconds / report.served > ceilings.slow_seconds
    # What fails says nothing of how much is too much: circuits see to that.
    if report.throttled or is_slow:
        # Not held up by a raise, which may be what was too much.
        if now - state.lowered_at >= CHANGE_SECONDS:
            state.rate = max(min(LOWEST_RATE, ceiling), _lowered(state, report))
            state.lowered_at = state.changed_at = now
    elif report.served and state.rate < ceiling and now - state.changed_at >= CHANGE_SECONDS:
        state.rate = min(ceiling, state.rate + ceiling * RAISE_BY)
        state.changed_at = now


def _lowered(state: State, report: Report) -> float:
    if not report.throttled:
        return state.rate * SLOW_LOWER_BY
    # What was not used up has caused no refusal, and would cause none if it were halved.
    used = max(state.recent_rate, state.window_count / CHANGE_SECONDS)
    return min(state.rate, used or state.rate) * LOWER_BY


def _places(state: State, ceilings: Ceilings, member: str, in_flight: int, waiting: int, now: float) -> int:
    """Of what is free as many as *member* can use, and no more than its even share.

    The shares of all add up to the concurrency (Hermite's identity), and what is left over of it goes round.
    """
    names = sorted({*state.members, member})
    turn = (names.index(member) + int(now)) % len(names)
    share = (ceilings.concurrency + turn) // len(names)
    if now - state.since < ceilings.lease_seconds:
        # Others may be at work that have not told yet, as where Redis was emptied.
        share = min(share, max(1, ceilings.concurrency // ceilings.processes))
    free = ceilings.concurrency - sum(places for places, _ in state.members.values())
    return max(0, min(in_flight + waiting, share, free))


def _starts(state: State, interval: float, want: int, member: str, members: int, now: float) -> tuple[int, float]:
    """Sell up to *want* starts, no more than an even share of those ahead; how many, and the delay of the first.

    While others wait who asked in vain before, the next start is left to them until it is due, or whoever asks most
    often would get them all.
    """
    state.in_vain = {name: until for name, until in state.in_vain.items() if until > now}
    lead = LEAD_SECONDS if next(iter(state.in_vain), member) == member else 0.0
    first = max(state.next_start, now - BURST_SECONDS)
    ahead = int((now + LEAD_SECONDS - first) / interval) + 1 if first <= now + lead else 0
    # Where they are few they are sold singly: whose two come first would have the others wait for two of his.
    starts = min(want, ahead and max(1, ahead // members))
    if starts or not want:
        state.in_vain.pop(member, None)
    else:
        state.in_vain[member] = max(first, now) + WAITING_SECONDS
    if not starts:
        return 0, 0.0
    state.next_start = first + starts * interval
    state.window_count += starts
    return starts, first - now
