"""One log line now and then with what the front door did lately: only counts, and no addresses."""

import time
from collections import Counter
from collections.abc import Callable

from worker.config.telemetry import log
from worker.domain.scores import NoAnswer, Score
from worker.web.questions import Question
from worker.web.scoring import Scored

EVERY_SECONDS = 10.0


class Counts:
    """Counts requests, under the names of ORES' own counters where it has them.

    Source: wikimedia/ores ores/metrics_collectors @ 8369ea0.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._since = clock()

    def scored(self, scored: Scored) -> None:
        """Count an answer that holds scores; those of precaching are counted separately."""
        question, counts = scored.question, self._counts
        if question.revisions:
            answers = [answer for by_model in scored.answers.values() for answer in by_model.values()]
            self._asked(question, scored.cached)
            if scored.cached < len(answers):
                counts["score_cache_miss"] += len(answers) - scored.cached
                counts["score_timed_out"] += sum(isinstance(answer, NoAnswer) for answer in answers)
                counts["score_errored"] += sum(not isinstance(answer, Score | NoAnswer) for answer in answers)

    def cached(self, question: Question, scores: int) -> None:
        """Count a reply of *scores* that were all cached."""
        self._asked(question, scores)
        self.replied(200)

    def replied(self, status: int) -> None:
        self._counts[f"response_{status}"] += 1
        if self._clock() - self._since >= EVERY_SECONDS:
            self.tell()

    def tell(self) -> None:
        """Log the line, if there is anything to count."""
        counts, self._counts, self._since = self._counts, Counter(), self._clock()
        if counts:
            log.info("requests_answered", **{name: count for name, count in sorted(counts.items()) if count})

    def _asked(self, question: Question, cached: int) -> None:
        counts = self._counts
        counts["precache_request" if question.is_precache else "scores_request"] += 1
        counts["revision_scored"] += len(question.revisions)
        counts["score_cache_hit"] += cached
