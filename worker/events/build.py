"""An edit and its answers as one event. Pure."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from outbox.edits import Edit
from worker.events.schemas import Meta, ModelError, ModelScore, Performer, RevisionScoreEvent
from worker.scores import Final, Score, ScoreError

#: The namespace of our event ids: the UUIDv5 of "outpatrol" under the DNS namespace.
EVENT_IDS = uuid.uuid5(uuid.NAMESPACE_DNS, "outpatrol")
LONGEST_URI = 8192


def event_id(edit: Edit, answers: Sequence[Final]) -> str:
    """The UUIDv5 of the edit's score ids; of the edit alone where no model scores it."""
    ids = sorted(f"{edit.wiki}:{answer.model}:{edit.revision}:{answer.version}" for answer in answers)
    return str(uuid.uuid5(EVENT_IDS, "|".join(ids) or f"{edit.wiki}:{edit.revision}"))


def revision_score_event(
    edit: Edit, answers: Sequence[Final], *, domain: str, stream: str, now: datetime
) -> RevisionScoreEvent:
    """The event that announces *edit* with everything known about it: scores, errors, both or neither."""
    title = edit.title.replace(" ", "_")
    scores = {answer.model: _score(answer) for answer in answers if isinstance(answer, Score)}
    errors = {answer.model: _error(answer) for answer in answers if isinstance(answer, ScoreError)}
    return RevisionScoreEvent(
        meta=Meta(
            stream=stream,
            id=event_id(edit, answers),
            dt=now,
            domain=domain,
            uri=f"https://{domain}/wiki/{quote(title, safe='/:@!$*(),;')}"[:LONGEST_URI],
            request_id=edit.request_id,
        ),
        dt=edit.timestamp,
        database=edit.wiki,
        page_id=edit.page,
        page_title=title,
        page_namespace=edit.namespace,
        rev_id=edit.revision,
        rev_parent_id=edit.parent_revision or None,
        rev_timestamp=edit.timestamp,
        performer=Performer(user_text=edit.user, user_groups=_groups(edit), user_is_bot=edit.is_bot),
        scores=scores or None,
        errors=errors or None,
    )


def _groups(edit: Edit) -> list[str]:
    """The implicit groups, all that a recent change tells."""
    return ["*"] if edit.is_anonymous else ["*", "user", *(["bot"] if edit.is_bot else [])]


def _score(answer: Score) -> ModelScore:
    prediction = answer.prediction
    return ModelScore(
        model_name=answer.model,
        model_version=answer.version,
        prediction=[prediction] if isinstance(prediction, str) else list(prediction),
        probability=answer.probability,
    )


def _error(answer: ScoreError) -> ModelError:
    return ModelError(model_name=answer.model, model_version=answer.version, type=answer.type, message=answer.message)
