"""What an endpoint's error says about a revision, in whose words, and what an operator can do about other errors. Pure.

Sources of the error types: wikimedia/revscoring revscoring/errors.py @ 3db2b95 and wikimedia/ores ores/errors.py @
8369ea0, of which ORES writes the class names (ores/wsgi/util.py); `RevisionNotScorable` is that of
mediawiki/extensions/ORES includes/LiftWingService.php @ e8804727. Of the sentences: machinelearning/liftwing
inference-services @ bce944c0, revscoring_model/model_servers/extractor_utils.py, and model_server/ under
src/models/revert_risk_model, outlink_topic_model, articlequality and revertrisk_wikidata. Of HTTP's phrases as types
inside a reply: ores-legacy/app/liftwing/response.py there.
"""

import re
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Protocol

from worker.domain.failures import Failure, failure_of_status

#: Errors that are final for the revision, however often it is asked for.
FINAL_TYPES = frozenset(
    {
        "MissingResource",
        "RevisionNotFound",
        "PageNotFound",
        "UserNotFound",
        "EntityNotFound",
        "TextDeleted",
        "UserDeleted",
        "CommentDeleted",
        "UnexpectedContentType",
        "RevisionNotScorable",
    }
)
#: Errors inside a reply, and the kind of failure that each is; an unknown one is transient.
FAILURES: Mapping[str, Failure] = {
    "TimeoutError": Failure.LATE,
    "TooManyRequestsError": Failure.THROTTLED,
    "ScoreProcessorOverloaded": Failure.OUTAGE,
    "ClientConnectorError": Failure.OUTAGE,
    "ClientError": Failure.OUTAGE,
} | {status.phrase: failure_of_status(status) for status in HTTPStatus if status >= 500 or status in {408, 429}}

_TYPES = "|".join(sorted(FINAL_TYPES))
#: Sentences about revisions: their ids are in the group `ids`, and the type of the error in the group `type`, if any.
_SENTENCES: tuple[tuple[re.Pattern[str], str | Failure], ...] = tuple(
    (re.compile(pattern), says)
    for pattern, says in (
        (
            r"The MW API does not have any info related to the rev-id provided as input \((?P<ids>\d+)\)",
            "RevisionNotFound",
        ),
        (rf"Missing resource for rev-id (?P<ids>\d+)\b(?:: (?P<type>{_TYPES})\b)?", "MissingResource"),
        (r"Unexpected content type for rev-id (?P<ids>\d+)\b", "UnexpectedContentType"),
        (r"Generic error while extracting features for rev-id (?P<ids>\d+)\b", Failure.TRANSIENT),
        (r"Could not make prediction for revisions? (?P<ids>.+?)\. Reason: ", "RevisionNotFound"),
        (r"Cannot fetch revision (?P<ids>\d+) on ", "RevisionNotFound"),
        (rf"(?P<type>{_TYPES}): .*:(?P<ids>\d+)\)", "MissingResource"),
    )
)
#: Sentences of servers that answer 500 to every error, even if the revision is gone or empty.
_SENTENCES_OF_500: tuple[tuple[re.Pattern[str], str | Failure], ...] = tuple(
    (re.compile(pattern), says)
    for pattern, says in (
        (r"\[404\] Fetching html failed for the article revision with id: (?P<ids>\d+)\b", "RevisionNotFound"),
        (
            r"Fetching html failed for the article revision with id: (?P<ids>\d+)\. Reason: Not Found",
            "RevisionNotFound",
        ),
        (
            r"Error in preprocess for rev_id (?P<ids>\d+)\. Reason: Failed .* for rev_id (?P=ids)\. Reason: 'pages'",
            "RevisionNotFound",
        ),
        (r"Article with language \S+ and revid (?P<ids>\d+) has errors when preprocessing", "RevisionNotScorable"),
    )
)
#: Sentences that name no revision, about the only one that was asked for.
_OF_THE_ONLY_ONE = {"Prediction for this type of edit is not supported at the moment.": "RevisionNotScorable"}
#: Statuses that may be refusals of one revision.
_STATUSES = {400, 404, 422}


def fate(kind: str, message: str, revision: int) -> str | Failure:
    """What an error of *kind* in a reply's entry for *revision* means: a final type, or a kind of failure."""
    if kind in FINAL_TYPES:
        return kind
    said = _said(message, {revision}).get(revision)
    return FAILURES.get(kind, Failure.TRANSIENT) if said is None else said


def said_of(status: int, sentence: str, revisions: Collection[int]) -> dict[int, str | Failure]:
    """What a refusal says about each of *revisions* that it names: the type of a final error, or the kind of failure.

    Unknown words that name a revision are a failure of that revision, so that it ends as a dead letter.
    """
    if status == 500:
        return _said(sentence, revisions, _SENTENCES_OF_500)
    if status not in _STATUSES:
        return {}
    said = _said(sentence, revisions)
    if not said and len(revisions) == 1:
        (only,) = revisions
        final = next((kind for text, kind in _OF_THE_ONLY_ONE.items() if sentence.startswith(text)), None)
        named = _named(_without_addresses(sentence), revisions)
        said = {only: final} if final else dict.fromkeys(named, Failure.TRANSIENT)
    return said


class Cures(Protocol):
    """What an operator can do about a reply with *status* to a request about *wiki* that is no revision's fault.

    One that did not come in time counts as 504.
    """

    def __call__(self, status: int, wiki: str, *, is_in_its_words: bool) -> str: ...


def cure_of_endpoint(status: int, wiki: str, *, is_in_its_words: bool, section: str = "endpoint") -> str:
    """What an operator can do about a reply with *status* to a request about *wiki* that is no revision's fault.

    *section* is that of the endpoint in the settings.
    """
    if status in {401, 407, 511}:
        return f"renew the token in {section}.token_file or {section}.headers, or the login of the gateway there"
    if status == 403:
        return f"set {section}.contact if it wants to know who asks, and let this machine in there"
    if status in {408, 504}:
        return f"if it does not pass by itself, raise {section}.timeout_seconds, or see why that server is slow"
    if 500 <= status < 600:
        return "if it does not pass by itself, see the log of that server"
    if is_in_its_words:
        return f"if it does not pass by itself, correct wikis.{wiki}.models, {section}.kind or {section}.url"
    return f"correct {section}.url and {section}.kind, or the server at that address"


def _said(
    message: str, revisions: Collection[int], sentences: tuple[tuple[re.Pattern[str], str | Failure], ...] = _SENTENCES
) -> dict[int, str | Failure]:
    for pattern, says in sentences:
        match = pattern.match(message)
        if match:
            error_type = match.groupdict().get("type")
            return dict.fromkeys(_named(match["ids"], revisions), error_type or says)
    return {}


def names_one(sentence: str, revisions: Collection[int]) -> bool:
    """Whether *sentence* names one of *revisions*."""
    return bool(_named(_without_addresses(sentence), revisions))


def _named(text: str, revisions: Collection[int]) -> set[int]:
    """Those of *revisions* that appear in *text* as whole numbers."""
    return {int(number) for number in re.findall(r"(?<![\w.])[0-9]{1,19}(?![\w.]|\.\d)", text)} & set(revisions)


def _without_addresses(sentence: str) -> str:
    """*sentence* without paths and URLs: who knows no such route often repeats the one that was asked for."""
    return re.sub(r"\S*/\S*", "", sentence)
