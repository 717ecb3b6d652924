"""Whether this host's clock agrees with that of Redis. No work depends on it, but times in logs and events do."""

import time
from collections.abc import Callable

from worker.config.telemetry import log

#: Seconds; smaller differences come from networks and busy hosts.
SKEW_SECONDS = 5.0


class ClockCheck:
    """Logs when the clocks differ, and when they agree again."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._is_skewed = False

    def compare(self, time_of_redis: tuple[int, int]) -> None:
        """Compare ours with the reply to TIME: seconds and microseconds."""
        seconds, microseconds = time_of_redis
        ahead = self._clock() - (seconds + microseconds / 1e6)
        is_skewed = abs(ahead) > SKEW_SECONDS
        if is_skewed and not self._is_skewed:
            log.warning(
                "clock_skew",
                seconds_ahead_of_redis=round(ahead, 1),
                effect="no work is lost or late by it; times in logs and events are wrong",
                cure="let NTP set the clocks of this host and of that of Redis",
            )
        elif self._is_skewed and not is_skewed:
            log.info("clock_right")
        self._is_skewed = is_skewed
