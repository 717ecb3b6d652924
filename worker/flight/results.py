"""Answers as JSON: the value of a result key, which Celery's result backend reads as the end of the task of that id."""

import json
from datetime import UTC, datetime
from typing import Any

from worker.domain.answers import Stored
from worker.domain.failures import Failure
from worker.domain.json_text import to_json
from worker.domain.scores import Answer, Final, NoAnswer, Score, ScoreError, ScoreId, read_final
from worker.flight.tiers import End

#: Followed by the score id, this is ORES' own key. Source: wikimedia/ores ores/score_caches/redis.py @ 8369ea0.
RESULT_PREFIX = "ores:"


def encode_result(score_id: ScoreId, answer: Answer, *, holder: str | None = None) -> str:
    """*answer* in the form in which Celery's result backend stores a task's result, with the answer itself beside it.

    With a *holder* it is the answer that this holder hands over to those who waited; it must not be cached.
    Source of the fields: celery/celery celery/backends/base.py `_get_result_meta` @ v5.7.0.
    """
    if isinstance(answer, Score):
        # Written once, and by pydantic itself: there is one of these for every score.
        status, document = "SUCCESS", answer.model_dump_json(exclude_none=True)
        result = document
    else:
        status, document = "FAILURE", to_json(encode_answer(answer))
        result = to_json(_as_exception(score_id, answer))
    end = f'"answer":{document}' if holder is None else f'"holder":{to_json(holder)},"end":{document}'
    return (
        f'{{"task_id":{to_json(str(score_id))},"status":"{status}","result":{result},"traceback":null,"children":[],'
        f'"date_done":"{datetime.now(UTC).isoformat()}",{end}}}'
    )


def is_answer(result: bytes | None) -> bool:
    """Whether the value of a result key is a cached answer; the scripts in Redis check the same.

    No text inside the JSON can look like this: quotes are escaped there, and a text that is just this word is not
    followed by an object.
    """
    return result is not None and b'"answer":{' in result


def stored_answer(result: bytes) -> Stored | None:
    """The cached answer that the value of a result key is, if it is one."""
    start = result.find(b'"answer":{')
    return None if start < 0 else Stored(result, start + len(b'"answer":'))


def is_success(result: bytes) -> bool:
    """Whether the value of a result key is that of a score, as Celery sees it."""
    return b'"status":"SUCCESS"' in result


def is_end(result: bytes | None) -> bool:
    """Whether the value of a result key is single flight's: a cached answer, or one that is being handed over."""
    return is_answer(result) or (result is not None and b'"holder":"' in result)


def decode_end(result: bytes) -> End:
    """Read back what `encode_result` wrote."""
    meta = json.loads(result)
    return End(decode_answer(meta["answer"])) if "answer" in meta else End(decode_answer(meta["end"]), meta["holder"])


def decode_final(result: bytes) -> Final:
    """Read back a cached answer."""
    return read_final(json.loads(result)["answer"])


def encode_answer(answer: Answer) -> dict[str, Any]:
    """*answer* as a JSON object, from which `decode_answer` makes it again."""
    if isinstance(answer, NoAnswer):
        return {
            "error": answer.error,
            "failure": answer.failure,
            "retry_after": answer.retry_after,
            "is_outage": answer.is_outage,
        }
    return answer.model_dump(mode="json", exclude_none=True)


def decode_answer(document: dict[str, Any]) -> Answer:
    """The answer that `encode_answer` wrote."""
    if "error" in document:
        failure, is_outage = Failure(document["failure"]), document.get("is_outage", False)
        return NoAnswer(document["error"], failure, document["retry_after"], is_outage)
    return read_final(document)


def _as_exception(score_id: ScoreId, answer: ScoreError | NoAnswer) -> dict[str, Any]:
    if isinstance(answer, NoAnswer):
        name, text = "EndpointUnavailable", f"{score_id}: {answer.error}"
    else:
        name, text = "ScoreRefused", f"{score_id}: {answer.type}: {answer.message}"
    return {"exc_type": name, "exc_message": [text], "exc_module": "worker.domain.errors"}
