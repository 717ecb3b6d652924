"""How many requests all worker processes together send to an endpoint: its rate, and how many at once. Pure.

For each endpoint the processes share one `State`. In an *exchange* a process reports what became of its requests and
what it wants, and learns what it may do. Times are seconds by the clock of whoever keeps the state.

- Concurrency: each process at work owns an even share of the places, and gives back what is more as its requests end.
  Nothing is lent. If there are fewer places than processes, they go round, a second each.
- Rate: starts are sold a lot at a time and evenly spaced (generic cell rate algorithm, ITU-T I.371), a little below the
  limit, so that no second holds more than the limit allows even if some start late.
- Being throttled halves the rate, slow replies lower it by a fifth; served requests raise it, at most to the limit.
"""

from dataclasses import dataclass, field

from worker.domain.failures import REFUSED_SECONDS

#: Starts are sold at most this many seconds ahead, and may be so late.
LEAD_SECONDS = 0.25
LATE_SECONDS = 0.05
#: After a pause, as many requests may start at once as otherwise within this many seconds.
BURST_SECONDS = 0.05
#: By this factor starts are spaced more widely than the limit needs, so that late starts and bursts stay within it.
SLACK = 1.0 + LATE_SECONDS + BURST_SECONDS + 0.02
#: A process that waits for a place but has not asked for this many seconds no longer counts.
WAITING_SECONDS = 1.0

CHANGE_SECONDS = 1.0
RAISE_BY = 0.1
LOWER_BY = 0.5
SLOW_LOWER_BY = 0.8
LOWEST_RATE = 0.1

#: Seconds for which a reported outage or refusal is an alarm; while they last, both are reported again much sooner.
ALARM_SECONDS = 6 * REFUSED_SECONDS
#: If all are told for so many seconds to come back later, it is no matter of the rate: a quota is used up, or we are
#: not wanted.
THROTTLED_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """What is never exceeded."""

    requests_per_second: float
    concurrency: int
    #: Replies that take longer on average mean that the endpoint is overloaded.
    slow_seconds: float
    #: Seconds after which a request has ended in any case.
    timeout_seconds: float
    #: How many processes there may be that have not reported yet.
    processes: int = 1

    @property
    def lease_seconds(self) -> float:
        """How long a place belongs to its process: after that, the last request that the exchange allowed has ended."""
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
    #: Seconds that the served requests took, in sum.
    seconds: float = 0.0
    #: Seconds for which the endpoint wants to be left alone.
    pause: float = 0.0
    #: Why nobody is served, if that is so, and the last refusal that is no revision's fault.
    outage: str = ""
    refusal: str = ""
    #: The last reply to a request that was throttled.
    throttling: str = ""

    def plus(self, other: "Report") -> "Report":
        """Both as one report; *other* is the later one."""
        return Report(
            served=self.served + other.served,
            throttled=self.throttled + other.throttled,
            seconds=self.seconds + other.seconds,
            pause=max(self.pause, other.pause),
            outage=other.outage or self.outage,
            refusal=other.refusal or self.refusal,
            throttling=other.throttling or self.throttling,
        )

    @property
    def matters(self) -> bool:
        """Whether the other processes must learn of it at once."""
        return bool(self.throttled or self.pause or self.outage or self.refusal)


@dataclass(slots=True)
class State:
    """What the processes know of one endpoint."""

    #: When it was first used; 0 before the first exchange.
    since: float = 0.0
    #: The time of the last exchange.
    told_at: float = 0.0
    #: The present rate, in requests a second; 0 if none has been set yet.
    rate: float = 0.0
    changed_at: float = 0.0
    lowered_at: float = 0.0
    #: The earliest start of the request after the last one that was sold.
    next_start: float = 0.0
    #: Requests sold in the second that began then, and the rate of the second before.
    window_began: float = 0.0
    window_count: int = 0
    recent_rate: float = 0.0
    paused_until: float = 0.0
    outage: str = ""
    outage_at: float = 0.0
    refusal: str = ""
    refused_at: float = 0.0
    #: How requests were throttled last, since when nothing else happens, and when it did last.
    throttling: str = ""
    throttled_since: float = 0.0
    throttled_at: float = 0.0
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
    #: Requests it might have under way if as many waited: its share, as far as nobody else holds it yet.
    share: int
    #: Seconds in which nothing may be sent: the endpoint wants to be left alone.
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
    """Learn from *report*, and grant *member* what it may do; changes *state*.

    The member has *in_flight* requests under way and *waiting* ones that wait, *want* of which could start within the
    lead. If it has neither, it gives its places back.
    """
    state.since, state.told_at = state.since or now, now
    state.rate = min(state.rate or ceilings.requests_per_second, ceilings.requests_per_second)
    _note(state, report, now)
    _adapt(state, ceilings, report, now)
    state.members = {name: held for name, held in state.members.items() if held[1] > now and name != member}
    members = len(state.members) + 1
    share = _share(state, ceilings, member, now)
    places = min(in_flight + waiting, share)
    pause, interval = state.paused_until - now, SLACK / state.rate
    want = min(want, waiting) if places and pause <= 0 else 0
    starts, delay = _starts(state, interval, want, member, members, now)
    if in_flight or waiting:
        # Members without a place count, too; otherwise those who have all places would keep them.
        held = max(in_flight, places)
        state.members[member] = (held, now + (ceilings.lease_seconds if held else WAITING_SECONDS))
    return Grant(
        starts=starts,
        delay=delay,
        interval=interval,
        places=places,
        share=share,
        pause=max(0.0, pause),
        again=max(0.0, state.next_start - now - (LEAD_SECONDS if member in state.in_vain else LEAD_SECONDS / 2)),
        rate=state.rate,
        members=members,
    )


def alarm(state: State, now: float) -> str | None:
    """What operators must know about an endpoint: why nobody is served, or what was refused not long ago."""
    if state.outage and now - state.outage_at < ALARM_SECONDS:
        return f"nobody is served: {state.outage}"
    if state.refusal and now - state.refused_at < ALARM_SECONDS:
        return f"refused {max(0.0, now - state.refused_at):.0f} s ago: {state.refusal}"
    is_throttling = state.throttling and (now - state.throttled_at < ALARM_SECONDS or state.paused_until > now)
    if is_throttling and now - state.throttled_since >= THROTTLED_SECONDS:
        return (
            f"nobody has been served for {now - state.throttled_since:.0f} s: {state.throttling}; lower its "
            "requests_per_second, set its contact, or ask those who run it for a larger quota"
        )
    return None


def _note(state: State, report: Report, now: float) -> None:
    """Keep what others must know: that it wants to be left alone, and why nobody is served."""
    state.paused_until = max(state.paused_until, now + report.pause if report.pause else 0.0)
    if report.served:
        if state.outage:
            # A refusal from the time when nobody was served is over, too.
            state.refusal = ""
        state.outage = state.throttling = ""
    elif report.throttling:
        state.throttled_since = state.throttled_since if state.throttling else now
        state.throttling, state.throttled_at = report.throttling, now
    if report.outage:
        state.outage, state.outage_at = report.outage, now
    if report.refusal:
        state.refusal, state.refused_at = report.refusal, now


def _adapt(state: State, ceilings: Ceilings, report: Report, now: float) -> None:
    """Lower the rate if the endpoint shows that it is too high, raise it if it serves; each at most once a second."""
    if now - state.window_began >= CHANGE_SECONDS:
        state.recent_rate = state.window_count / (now - state.window_began) if state.window_began else 0.0
        state.window_began, state.window_count = now, 0
    ceiling = ceilings.requests_per_second
    is_slow = bool(report.served) and report.seconds / report.served > ceilings.slow_seconds
    # Failures do not show which rate is too high; they are the circuits' business.
    if report.throttled or is_slow:
        # A raise a moment ago does not delay this: it may be the cause.
        if now - state.lowered_at >= CHANGE_SECONDS:
            state.rate = max(min(LOWEST_RATE, ceiling), _lowered(state, report))
            state.lowered_at = state.changed_at = now
    elif report.served and state.rate < ceiling and now - state.changed_at >= CHANGE_SECONDS:
        state.rate = min(ceiling, state.rate + ceiling * RAISE_BY)
        state.changed_at = now


def _lowered(state: State, report: Report) -> float:
    if not report.throttled:
        return state.rate * SLOW_LOWER_BY
    # A limit that was not used up is not the cause of a refusal, and halving it would not help.
    used = max(state.recent_rate, state.window_count / CHANGE_SECONDS)
    return min(state.rate, used or state.rate) * LOWER_BY


def _share(state: State, ceilings: Ceilings, member: str, now: float) -> int:
    """How many of the free places *member* may have: no more than its even share.

    All shares add up to the concurrency (Hermite's identity); places that can't be divided go round.
    """
    names = sorted({*state.members, member})
    turn = (names.index(member) + int(now)) % len(names)
    share = (ceilings.concurrency + turn) // len(names)
    if now - state.since < ceilings.lease_seconds:
        # Others may be at work that have not reported yet, for example after Redis was emptied.
        share = min(share, max(1, ceilings.concurrency // ceilings.processes))
    free = ceilings.concurrency - sum(places for places, _ in state.members.values())
    return max(0, min(share, free))


def _starts(state: State, interval: float, want: int, member: str, members: int, now: float) -> tuple[int, float]:
    """Sell up to *want* starts, no more than an even share of those ahead; how many, and the delay of the first.

    While others wait who asked in vain before, the next start is left to them until it is due, or whoever asks most
    often would get them all.
    """
    state.in_vain = {name: until for name, until in state.in_vain.items() if until > now}
    lead = LEAD_SECONDS if next(iter(state.in_vain), member) == member else 0.0
    first = max(state.next_start, now - BURST_SECONDS)
    ahead = int((now + LEAD_SECONDS - first) / interval) + 1 if first <= now + lead else 0
    # If there are few, they are sold one by one: the others would wait for both of whoever bought two.
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
