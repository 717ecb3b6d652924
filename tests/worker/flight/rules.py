"""The rules of single flight as the protocol states them: three dictionaries of what is still valid, and no clock.

Written from the protocol's words alone; it shares no code with the tiers that are checked against it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from worker.domain.scores import Answer, Score, ScoreError, ScoreId
from worker.flight.tiers import End, Lifetimes

What = TypeVar("What")
#: What became of an id: "cached", "handed over", "under way" or "ours", with the answer or the holder's token.
State = tuple[str, Answer | str | None]


@dataclass
class Expiring(Generic[What]):
    """Something that is there for so many seconds more."""

    what: What
    left: float


@dataclass
class Rules:
    """What must be true of the ids, whatever keeps them."""

    lifetimes: Lifetimes
    leases: dict[ScoreId, Expiring[str]] = field(default_factory=dict)
    answers: dict[ScoreId, Expiring[Answer]] = field(default_factory=dict)
    #: The last end of each id that left nothing to cache, by its holder.
    handed_over: dict[ScoreId, Expiring[tuple[str, Answer]]] = field(default_factory=dict)

    def advance(self, seconds: float) -> None:
        _pass(self.leases, seconds)
        _pass(self.answers, seconds)
        _pass(self.handed_over, seconds)

    def acquire(self, ids: Collection[ScoreId], token: str, waited_for: Mapping[ScoreId, str]) -> dict[ScoreId, State]:
        return {score_id: self._acquire(score_id, token, waited_for.get(score_id)) for score_id in ids}

    def renew(self, ids: Collection[ScoreId], token: str) -> None:
        for score_id in ids:
            if not self._is_anothers(score_id, token):
                self.leases[score_id] = Expiring(token, self.lifetimes.lease)

    def finish(self, ids: Collection[ScoreId], answers: Mapping[ScoreId, Answer], token: str) -> dict[ScoreId, Answer]:
        stands = {score_id: self._finish(score_id, answer, token) for score_id, answer in answers.items()}
        for score_id in {*ids, *answers}:
            if self._is_held_by(score_id, token):
                del self.leases[score_id]
        return stands

    def ends(self, ids: Collection[ScoreId]) -> dict[ScoreId, End]:
        cached = {score_id: End(self.answers[score_id].what) for score_id in ids if score_id in self.answers}
        others = {score_id: self.handed_over[score_id].what for score_id in ids if score_id in self.handed_over}
        return {score_id: End(answer, holder) for score_id, (holder, answer) in others.items()} | cached

    def _acquire(self, score_id: ScoreId, token: str, waited_for: str | None) -> State:
        if score_id in self.answers:
            return "cached", self.answers[score_id].what
        if score_id in self.handed_over and self.handed_over[score_id].what[0] == waited_for:
            return "handed over", self.handed_over[score_id].what[1]
        if self._is_held_by(score_id, token):
            # Asked again, for the reply got lost.
            return "ours", None
        if score_id in self.leases:
            return "under way", self.leases[score_id].what
        self.leases[score_id] = Expiring(token, self.lifetimes.lease)
        return "ours", None

    def _finish(self, score_id: ScoreId, answer: Answer, token: str) -> Answer:
        if score_id in self.answers:
            return self.answers[score_id].what
        if isinstance(answer, Score | ScoreError) and answer.version == score_id.version:
            seconds = self.lifetimes.result if isinstance(answer, Score) else self.lifetimes.error
            self.answers[score_id] = Expiring(answer, seconds)
        elif not self._is_anothers(score_id, token):
            self.handed_over[score_id] = Expiring((token, answer), self.lifetimes.handover)
        return answer

    def _is_held_by(self, score_id: ScoreId, token: str) -> bool:
        return score_id in self.leases and self.leases[score_id].what == token

    def _is_anothers(self, score_id: ScoreId, token: str) -> bool:
        return score_id in self.leases and self.leases[score_id].what != token


def _pass(kept: dict[ScoreId, Expiring[What]], seconds: float) -> None:
    for score_id, each in list(kept.items()):
        each.left -= seconds
        if each.left <= 0:
            del kept[score_id]
