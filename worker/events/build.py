"""An edit and its answers as events. Pure."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha1
from urllib.parse import quote

from outbox.edits import Edit
from worker.config.settings_sections import USUAL_ARTICLE_PATH, EventsSettings
from worker.domain.models import DEFAULT_MODELS, ScoringModel, announced_name
from worker.domain.scores import Final, Score, ScoreError
from worker.events.entities import OLDEST, page_of, performer_of, prior_state_of, revision_of, title_of, user_of
from worker.events.schemas import (
    PREDICTION_CHANGE,
    Event,
    Meta,
    ModelError,
    ModelScore,
    PredictedClassification,
    PredictionChangeEvent,
    RevisionScoreEvent,
    written,
)

#: The namespace of our event ids: the UUIDv5 of "outpatrol" under the DNS namespace.
EVENT_IDS = uuid.uuid5(uuid.NAMESPACE_DNS, "outpatrol")
LONGEST_URI = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcing:
    """How edits are announced."""

    settings: EventsSettings
    models: Mapping[str, ScoringModel] = field(default_factory=lambda: DEFAULT_MODELS)

    def events_of(
        self,
        edit: Edit,
        answers: Sequence[Final],
        *,
        domain: str,
        now: datetime,
        article_path: str = USUAL_ARTICLE_PATH,
        are_all: bool = True,
    ) -> list[Event]:
        """The events that announce *edit* of the wiki at *domain*; at least one, whatever the answers are.

        Models that were announced before on streams of their own, as *edit* says, are not announced there again. While
        some answers are still missing (*are_all* is false), only events on such streams are made.
        """
        origin = _Origin(domain, article_path, written(now))
        own = self._events_of_models(edit, answers, origin)
        if not are_all or (self.settings.stream_of_model is not None and answers):
            return own
        return [self._revision_score(edit, answers, self.settings.stream, origin), *own]

    def _events_of_models(self, edit: Edit, answers: Sequence[Final], origin: "_Origin") -> list[Event]:
        prefix = self.settings.stream_of_model
        fresh = [answer for answer in answers if answer.model not in (edit.announced or ())]
        scores = (
            []
            if prefix is None
            else [self._revision_score(edit, [answer], f"{prefix}{self._name(answer)}", origin) for answer in fresh]
        )
        return [*scores, *self._prediction_changes(edit, fresh, origin)]

    def _revision_score(
        self, edit: Edit, answers: Sequence[Final], stream: str, origin: "_Origin"
    ) -> RevisionScoreEvent:
        names = {self._name(answer): answer for answer in answers}
        scores = {name: _score(name, answer) for name, answer in names.items() if isinstance(answer, Score)}
        errors = {name: _error(name, answer) for name, answer in names.items() if not isinstance(answer, Score)}
        moment = written(edit.timestamp)
        return RevisionScoreEvent(
            meta=origin.meta(edit, stream, event_id(edit, answers)),
            dt=moment,
            database=edit.wiki,
            page_id=edit.page,
            page_title=title_of(edit),
            page_namespace=edit.namespace,
            page_is_redirect=edit.is_redirect,
            rev_id=edit.revision,
            rev_parent_id=edit.parent_revision or None,
            rev_timestamp=moment,
            performer=performer_of(edit),
            scores=scores or None,
            errors=errors or None,
        )

    def _prediction_changes(self, edit: Edit, answers: Sequence[Final], origin: "_Origin") -> Iterator[Event]:
        version = self.settings.prediction_schema
        if not any(answer.model in self.settings.prediction_streams for answer in answers):
            return
        page = page_of(edit, version)
        if page is None:
            return
        revision, prior_state = revision_of(edit, version), prior_state_of(edit, version)
        # 1.1.0 requires a performer even if it is hidden.
        performer = user_of(edit, version) if edit.user is not None or version == OLDEST else None
        for answer in answers:
            stream = self.settings.prediction_streams.get(answer.model)
            if stream is None or not isinstance(answer, Score):
                continue
            yield PredictionChangeEvent(
                schema_uri=f"{PREDICTION_CHANGE}/{version}",
                meta=origin.meta(edit, stream, prediction_id(edit, answer, stream)),
                dt=written(edit.timestamp),
                changelog_kind="insert" if edit.is_new_page else "update",
                page_change_kind="create" if edit.is_new_page else "edit",
                wiki_id=edit.wiki,
                page=page,
                performer=performer,
                revision=revision,
                prior_state=prior_state,
                predicted_classification=PredictedClassification(
                    model_name=self._name(answer),
                    model_version=answer.version,
                    predictions=_predictions(answer),
                    probabilities=answer.probability,
                ),
            )

    def _name(self, answer: Final) -> str:
        return announced_name(answer.model, self.models)


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where an event comes from, and when it was made, as written."""

    domain: str
    article_path: str
    now: str

    def meta(self, edit: Edit, stream: str, id_: str) -> Meta:
        title = title_of(edit)
        return Meta(
            stream=stream,
            id=id_,
            dt=self.now,
            domain=self.domain,
            uri=title and self._address(title)[:LONGEST_URI],
            request_id=edit.request_id,
        )

    def _address(self, title: str) -> str:
        return f"https://{self.domain}{self.article_path.replace('$1', quote(title, safe='/:@!$*(),;'))}"


def event_id(edit: Edit, answers: Sequence[Final]) -> str:
    """The UUIDv5 of the edit's score ids; of the edit alone where no model scores it.

    An error is no score: what replaces it, once its dead letter is requeued, is no repetition. The events of a
    reconciled edit say less than those that were lost, and so have other ids.
    """
    ids = sorted(_answer_id(edit, answer) for answer in answers)
    return _id(edit, "|".join(ids) or f"{edit.wiki}:{edit.revision}")


def prediction_id(edit: Edit, answer: Final, stream: str) -> str:
    """The id of a prediction event; not that of the score event for the same answer."""
    return _id(edit, f"{stream}|{_score_id(edit, answer)}")


def _id(edit: Edit, name: str) -> str:
    return uuid5_of(f"{name}|reconciled" if edit.is_reconciled else name)


def uuid5_of(name: str) -> str:
    """`str(uuid.uuid5(EVENT_IDS, name))` in a third of its time."""
    digest = sha1(EVENT_IDS.bytes + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) % 4]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def _answer_id(edit: Edit, answer: Final) -> str:
    # Asked this way since pydantic takes long to say that something is none of its models.
    return _score_id(edit, answer) if isinstance(answer, Score) else f"{_score_id(edit, answer)}!{answer.type}"


def _score_id(edit: Edit, answer: Final) -> str:
    return f"{edit.wiki}:{answer.model}:{edit.revision}:{answer.version}"


def _predictions(answer: Score) -> list[str]:
    return [answer.prediction] if isinstance(answer.prediction, str) else list(answer.prediction)


def _score(name: str, answer: Score) -> ModelScore:
    return ModelScore(
        model_name=name,
        model_version=answer.version,
        prediction=_predictions(answer),
        probability=answer.probability,
    )


def _error(name: str, answer: ScoreError) -> ModelError:
    return ModelError(model_name=name, model_version=answer.version, type=answer.type, message=answer.message)
