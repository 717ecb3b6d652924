"""What an endpoint says in a refused reply, in its own words. Pure."""

import json
from typing import Any

from worker.domain.storable import storable


def sentence_in(content: bytes) -> str:
    """The sentence in an error reply; empty without one.

    ORES has it in `error.message`, Lift Wing in `error` or `detail`; of MediaWiki's REST API it begins with the key.
    Wikimedia's API gateway has it in `httpReason`.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(body, dict):
        return ""
    error = _innermost(body.get("error", body.get("detail")))
    return storable(error if isinstance(error, str) else _of_rest_api(body))


def first_line(content: bytes, content_type: str) -> str:
    """The first line of a gateway's refusal, if it is text for people."""
    if not content_type.startswith("text/plain"):
        return ""
    return storable(next(iter(content.decode(errors="replace").strip().splitlines()), ""))


def _innermost(error: Any) -> Any:
    # ORES' facade in front of Lift Wing wraps one form in the other.
    if isinstance(error, dict):
        error = error.get("error", error)
    return error.get("message") if isinstance(error, dict) else error


def _of_rest_api(body: dict[str, Any]) -> str:
    translations = body.get("messageTranslations")
    said = next(iter(translations.values()), "") if isinstance(translations, dict) else body.get("message")
    said = said or body.get("httpReason", "")
    return ": ".join(part for part in (body.get("errorKey", ""), said) if part and isinstance(part, str))
