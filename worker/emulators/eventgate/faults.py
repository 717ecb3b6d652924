"""The faults that the settings of the emulated EventGate ask for."""

import itertools
import random
from collections.abc import Callable
from typing import Literal

from worker.emulators.eventgate.judging import REFUSED, JudgedEvent, in_error, invalid, judge, value_of
from worker.emulators.eventgate.settings import EventGateSettings

RequestFault = Literal["close_before", "failures", "late", "close_mid_reply"]
_RATES: dict[RequestFault, Callable[[EventGateSettings], float]] = {
    "close_before": lambda settings: settings.close_before,
    "failures": lambda settings: settings.failures.rate,
    "late": lambda settings: settings.late.rate if settings.late.ms else 0.0,
    "close_mid_reply": lambda settings: settings.close_mid_reply,
}


class Faults:
    """The settings in force, and the requests and events that they make fail."""

    def __init__(self, settings: EventGateSettings) -> None:
        self.settings = settings
        self.apply(settings)

    def apply(self, settings: EventGateSettings) -> None:
        """Use *settings* from now on; all random choices are drawn again, and events are counted from one again."""
        self.settings = settings
        self._numbers = itertools.count(1)
        # One generator each, so that switching one fault on does not move the others to other requests.
        self._chances: dict[str, random.Random] = {}

    def strikes(self, fault: RequestFault) -> bool:
        """Whether this request fails by *fault*."""
        return self._chance(fault).random() < _RATES[fault](self.settings)

    def latency_seconds(self) -> float:
        """How long this request takes."""
        jitter = self.settings.latency_jitter_ms * self._chance("jitter").uniform(-1, 1)
        return max(0.0, self.settings.latency_ms + jitter) / 1000

    def judged(self, event: object) -> JudgedEvent:
        """Judge an event, unless the settings have it refused or end in an error."""
        refused = self._refuses(event)
        if self._chance("error").random() < self.settings.error_rate:
            return in_error(event, "This error was asked for in the settings of the emulator.")
        return invalid(event, [REFUSED]) if refused else judge(event, self.settings)

    def _refuses(self, event: object) -> bool:
        number, every_nth = next(self._numbers), self.settings.refuse.every_nth
        if every_nth is not None and number % every_nth == 0:
            return True
        identity = value_of(event, "meta", "id")
        chance = self._chance("refuse") if identity is None else self._seeded(f"refuse|{identity}")
        return chance.random() < self.settings.refuse.rate

    def _chance(self, name: str) -> random.Random:
        if name not in self._chances:
            self._chances[name] = self._seeded(name)
        return self._chances[name]

    def _seeded(self, name: str) -> random.Random:
        return random.Random(f"{self.settings.seed}|{name}")  # noqa: S311 - must be reproducible
