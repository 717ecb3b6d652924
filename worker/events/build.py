"""An edit and its answers as events. Pure."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from outbox.edits import Edit
from worker.config.settings_sections import EventsSettings
from worker.domain.scores import Final, Score, ScoreError
from worker.events.schemas import (
    PREDICTION_CHANGE,
    Event,
    Meta,
    ModelError,
    ModelScore,
    Page,
    Performer,
    PredictedClassification,
    PredictionChangeEvent,
    Revision,
    RevisionScoreEvent,
    User,
)

#: The namespace of our event ids: the UUIDv5 of "outpatrol" under the DNS namespace.
EVENT_IDS = uuid.uuid5(uuid.NAMESPACE_DNS, "outpatrol")
LONGEST_URI = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcing:
    """How edits are announced."""

    settings: EventsSettings

    def events_of(self, edit: Edit, answers: Sequence[Final], *, domain: str, now: datetime) -> list[Event]:
        """All events that announce *edit* of the wiki at *domain*; at least one, whatever the answers are.

        Without those that `events_of_models` has announced before.
        """
        own = self.events_of_models(edit, answers, domain=domain, now=now)
        if self.settings.stream_of_model is not None and answers:
            return own
        return [self._revision_score(edit, answers, self.settings.stream, _Origin(domain, now)), *own]

    def events_of_models(self, edit: Edit, answers: Sequence[Final], *, domain: str, now: datetime) -> list[Event]:
        """The events on streams of one model each; none of models that *edit* says are announced."""
        origin, prefix = _Origin(domain, now), self.settings.stream_of_model
        fresh = [answer for answer in answers if answer.model not in (edit.announced or ())]
        scores = (
            []
            if prefix is None
            else [self._revision_score(edit, [answer], f"{prefix}{answer.model}", origin) for answer in fresh]
        )
        return [*scores, *self._prediction_changes(edit, fresh, origin)]

    def _revision_score(
        self, edit: Edit, answers: Sequence[Final], stream: str, origin: "_Origin"
    ) -> RevisionScoreEvent:
        scores = {answer.model: _score(answer) for answer in answers if isinstance(answer, Score)}
        errors = {answer.model: _error(answer) for answer in answers if isinstance(answer, ScoreError)}
        return RevisionScoreEvent(
            meta=origin.meta(edit, stream, event_id(edit, answers)),
            dt=edit.timestamp,
            database=edit.wiki,
            page_id=edit.page,
            page_title=_key(edit),
            page_namespace=edit.namespace,
            page_is_redirect=edit.is_redirect,
            rev_id=edit.revision,
            rev_parent_id=edit.parent_revision or None,
            rev_timestamp=edit.timestamp,
            performer=_performer(edit),
            scores=scores or None,
            errors=errors or None,
        )

    def _prediction_changes(self, edit: Edit, answers: Sequence[Final], origin: "_Origin") -> Iterator[Event]:
        # The schema has no negative namespaces, and an edit has one only by mistake; it wants the page's id.
        if edit.namespace < 0 or edit.page is None:
            return
        for answer in answers:
            stream = self.settings.prediction_streams.get(answer.model)
            if stream is None or not isinstance(answer, Score):
                continue
            version = self.settings.prediction_schema
            user = _user(edit)
            yield PredictionChangeEvent(
                schema_uri=f"{PREDICTION_CHANGE}/{version}",
                meta=origin.meta(edit, stream, prediction_id(edit, answer, stream)),
                dt=edit.timestamp,
                changelog_kind="insert" if edit.is_new_page else "update",
                page_change_kind="create" if edit.is_new_page else "edit",
                wiki_id=edit.wiki,
                page=Page(
                    page_id=edit.page,
                    page_title=_key(edit),
                    namespace_id=edit.namespace,
                    is_redirect=bool(edit.is_redirect),
                ),
                # 1.1.0 wants one even where it is hidden.
                performer=user if edit.user is not None or version == "1.1.0" else None,
                revision=Revision(
                    rev_id=edit.revision,
                    rev_parent_id=edit.parent_revision or None,
                    rev_dt=edit.timestamp,
                    rev_size=edit.length,
                    is_minor_edit=edit.is_minor,
                    is_editor_visible=edit.user is not None,
                    editor=user if edit.user is not None else None,
                ),
                predicted_classification=PredictedClassification(
                    model_name=answer.model,
                    model_version=answer.version,
                    predictions=_predictions(answer),
                    probabilities=answer.probability,
                ),
            )


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where and when an event comes from."""

    domain: str
    now: datetime

    def meta(self, edit: Edit, stream: str, id_: str) -> Meta:
        return Meta(
            stream=stream,
            id=id_,
            dt=self.now,
            domain=self.domain,
            uri=f"https://{self.domain}/wiki/{quote(_key(edit), safe='/:@!$*(),;')}"[:LONGEST_URI],
            request_id=edit.request_id,
        )


def event_id(edit: Edit, answers: Sequence[Final]) -> str:
    """The UUIDv5 of the edit's score ids; of the edit alone where no model scores it."""
    ids = sorted(_score_id(edit, answer) for answer in answers)
    return str(uuid.uuid5(EVENT_IDS, "|".join(ids) or f"{edit.wiki}:{edit.revision}"))


def prediction_id(edit: Edit, answer: Final, stream: str) -> str:
    """The id of a prediction event; not that of the score event for the same answer."""
    return str(uuid.uuid5(EVENT_IDS, f"{stream}|{_score_id(edit, answer)}"))


def _score_id(edit: Edit, answer: Final) -> str:
    return f"{edit.wiki}:{answer.model}:{edit.revision}:{answer.version}"


def _key(edit: Edit) -> str:
    return edit.title.replace(" ", "_")


def _groups(edit: Edit) -> list[str]:
    """The groups that the wiki gave; otherwise the implicit ones, which follow from the recent change."""
    if edit.user_groups is not None:
        return list(edit.user_groups)
    if edit.is_anonymous:
        return ["*"]
    # Source: mediawiki/core includes/user/UserGroupManager.php, getUserImplicitGroups.
    return ["*", "temp" if edit.is_temporary else "user", *(["bot"] if edit.is_bot else [])]


def _performer(edit: Edit) -> Performer | None:
    if edit.user is None:
        return None
    return Performer(
        user_text=edit.user,
        user_groups=_groups(edit),
        user_is_bot=edit.is_bot,
        user_id=edit.user_id,
        user_registration_dt=edit.user_registered_at,
        user_edit_count=edit.user_edit_count,
    )


def _user(edit: Edit) -> User:
    if edit.user is None:
        return User()
    return User(
        user_text=edit.user,
        user_id=edit.user_id,
        groups=_groups(edit),
        is_bot=edit.is_bot,
        is_temp=edit.is_temporary,
        registration_dt=edit.user_registered_at,
        edit_count=edit.user_edit_count,
    )


def _predictions(answer: Score) -> list[str]:
    return [answer.prediction] if isinstance(answer.prediction, str) else list(answer.prediction)


def _score(answer: Score) -> ModelScore:
    return ModelScore(
        model_name=answer.model,
        model_version=answer.version,
        prediction=_predictions(answer),
        probability=answer.probability,
    )


def _error(answer: ScoreError) -> ModelError:
    return ModelError(model_name=answer.model, model_version=answer.version, type=answer.type, message=answer.message)
