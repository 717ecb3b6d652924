"""The life of an edit, in one straight line. Read this file first.

    claim → plan → score → settle          (worker/lanes/turn.py claims, `ScoreConsumer.score_edits` does the rest)
    claim → send → settle                  (worker/events/publishing.py)

Claiming and settling are short transactions; none is open while an endpoint or a sink is waited for. There is one path
for failure: an edit is settled with `RetryLater` or with `Dead`, and a worker that dies settles nothing, so that its
leases run out. An edit that is given up is announced all the same, with its errors.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from outbox import EDITS, Claim, Edit, Lane, Outcome, record_payloads, settle
from outbox.inspection import has_work
from outbox.settings import OutboxSettings
from worker.config.telemetry import log, tell_batch
from worker.config.wiki import Wiki
from worker.domain.errors import EndpointUnavailable
from worker.domain.scores import UNKNOWN_VERSION, Sample, Score, ScoreId
from worker.endpoints.scoring_client import ScoringClient
from worker.events.build import Announcing
from worker.events.lacking import lacking
from worker.events.schemas import Event
from worker.flight.documents import KeepsVersions
from worker.flight.flight import Flight
from worker.lanes.bulkheads import Computing
from worker.lanes.consumer import Worked
from worker.lanes.rings import CHECK_MODEL_VERSIONS
from worker.scores.autopatrol import must_be_stored
from worker.scores.missing import missing_models
from worker.scores.model_versions import (
    MOST_MODELS,
    KnownModel,
    KnownModels,
    current_models,
    keep_known_versions,
    model_ids,
)
from worker.scores.outcomes import Decision, decide, read_edits, without_waiting
from worker.scores.own_tables import BACKFILL
from worker.scores.page_changes import answer_changes
from worker.scores.pages import OwnTables, PageSource, with_pages
from worker.scores.plan import plan
from worker.scores.rows import Classification, rows_of
from worker.scores.saved_revisions import read_saved
from worker.scores.store import forget, store
from worker.scores.titles import Namespaces, with_titles


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConsumer:
    """The first consumer of edits: scores them, stores the rows that patrollers need, and promises the events.

    Serves the lane of fresh edits, and that of edits of the past whose rows are missing: these are claimed only while
    no fresh edit waits, and not announced again.
    """

    lane: Lane
    client: ScoringClient
    #: Wiki to its single flight.
    flights: Mapping[str, Flight]
    announcing: Announcing
    #: Readers see the current versions there, and need no database.
    documents: KeepsVersions
    #: Sink to the lane that gets the events of every edit for it; none for edits of the past.
    event_lanes: Mapping[str, Lane]
    settings: OutboxSettings
    #: Other turns may compute while this one waits for its scores.
    computing: Computing
    #: The sources of pages for edits without one, in the order in which they are asked.
    page_sources: Sequence[PageSource] = (OwnTables(),)
    #: Asked for titles that were read from the wiki's tables.
    namespaces: Namespaces = field(default_factory=lambda: Namespaces({}))
    is_ordered: bool = False

    def needs(self, wiki: Wiki) -> frozenset[str]:
        return frozenset(f"endpoint {model.endpoint}" for model in wiki.models.values())

    def claim_size(self, wiki: Wiki) -> int:
        """No more edits than the endpoint can take soon, and none while its circuit is open."""
        if self.lane is not EDITS:
            with wiki.database.reading() as connection:
                if has_work(connection, EDITS):
                    return 0
        return min(self.settings.batch_size, self.client.claim_size(wiki.id, wiki.models))

    def nothing_claimed(self) -> None:
        """Nothing was held back for it."""

    async def work(self, wiki: Wiki, claims: Sequence[Claim]) -> Worked:
        """Answer the claimed page changes, read the edits of an attached wiki, and score all edits; all are settled."""
        most = self.settings.max_attempts
        edits = answer_changes(wiki, self.lane, (EDITS, BACKFILL), claims, most)
        edits = read_saved(wiki, self.lane, edits, most, self.settings.patience)
        new_versions = await self.score_edits(wiki, edits) if edits else frozenset()
        return Worked(
            promised=tuple(self.event_lanes.values()), prompts=(CHECK_MODEL_VERSIONS,) if new_versions else ()
        )

    async def score_edits(self, wiki: Wiki, claims: Sequence[Claim]) -> frozenset[str]:
        """Score the claimed edits and settle them all in one transaction.

        Returns the models of which a score is of another version than the current one.
        """
        started, most = time.monotonic(), self.settings.max_attempts
        decoded, outcomes = read_edits(claims, most, wiki.id)
        edits, waiting = without_waiting(
            await self._with_titles(wiki, await self._with_pages(wiki, decoded)),
            most,
            waits=self.announcing.settings.waits_for_page_ids,
        )
        outcomes |= waiting
        known = await self._known_models(wiki, edits)
        keep_known_versions(wiki, known, self.documents, even_none=False)
        asked = self._planned(wiki, edits, known)
        # A message that was claimed too often may be what killed its workers: it is settled unscored.
        wanted = [score_id for claim in edits if claim.attempt <= most for score_id in asked[claim]]
        with self.computing.waiting():
            result = await self.flights[wiki.id].scores(wanted, self.client.score)
        seen = [(answer.model, answer.version) for answer in result.answers.values() if isinstance(answer, Score)]
        numbers = _numbers(wiki, seen, known)
        decisions = [
            decide(
                claim,
                edit,
                asked[claim],
                result.answers,
                wiki.models,
                most,
                numbers=numbers,
                leaves_rows=must_be_stored(edit, bots_are_autopatrolled=wiki.settings.bots_are_autopatrolled),
                wait=self._wait(edit),
            )
            for claim, edit in edits.items()
        ]
        outcomes |= {each.claim: each.outcome for each in decisions}
        sent = self._sent(wiki, edits.values())
        # Before the transaction: whoever publishes waits for events that are being written.
        rows = {each.claim: _rows(wiki, each, numbers) for each in decisions if each.leaves_rows}
        events = self._events(wiki, decisions)

        def finish(connection: Connection) -> frozenset[Claim]:
            return self._settle(connection, wiki, outcomes, decisions, rows, events, sent)

        kept = wiki.database.run(finish)
        tell_batch("edits_settled", wiki.id, outcomes, kept, started, called=result.called, shared=result.shared)
        return frozenset(name for name, version in seen if name in known and known[name].version != version)

    async def _with_pages(self, wiki: Wiki, edits: Mapping[Claim, Edit]) -> Mapping[Claim, Edit]:
        if all(edit.page is not None for edit in edits.values()):
            return edits
        with self.computing.waiting():
            return await with_pages(wiki, edits, self.page_sources)

    async def _with_titles(self, wiki: Wiki, edits: Mapping[Claim, Edit]) -> Mapping[Claim, Edit]:
        if not any(edit.is_namespace_in_english for edit in edits.values()):
            return edits
        with self.computing.waiting():
            return await with_titles(wiki, edits, self.namespaces)

    def _wait(self, edit: Edit) -> timedelta | None:
        """How long the event of *edit* waits for the last models; of a reconciled one it waits for all."""
        if not self.event_lanes or edit.is_reconciled:
            return None
        return timedelta(seconds=self.announcing.settings.wait_seconds)

    def _settle(
        self,
        connection: Connection,
        wiki: Wiki,
        outcomes: Mapping[Claim, Outcome],
        decisions: Sequence[Decision],
        rows: Mapping[Claim, Sequence[Classification]],
        events: Mapping[Claim, Sequence[str]],
        sent: Mapping[str, Collection[int]],
    ) -> frozenset[Claim]:
        """One transaction: the messages go, the rows that patrollers need and an event for every edit come.

        Of an edit that waits for the last of its models the rows of the others come now, and the events on streams of
        their own.
        """
        kept = settle(connection, self.lane, outcomes)
        settled = [each for each in decisions if each.claim in kept]
        stored = [each for each in settled if each.leaves_rows]
        store(connection, [row for each in stored for row in rows[each.claim]])
        cleaned = {name for name, model in wiki.models.items() if model.clean_parent}
        scored = {score.model for each in stored for score in each.scores}
        forget(connection, {each.edit.parent_revision for each in stored}, cleaned & scored)
        if self.event_lanes:
            for sink, lane in self.event_lanes.items():
                known = sent.get(sink, ())
                fresh = [each.claim for each in settled if each.edit.revision not in known]
                record_payloads(connection, lane, [event for claim in fresh for event in events[claim]])
            # Their event has gone; of what comes late there are rows only.
            record_payloads(connection, BACKFILL, [each.claim.payload for each in settled if each.owes_rows])
        return kept

    def _events(self, wiki: Wiki, decisions: Sequence[Decision]) -> dict[Claim, list[str]]:
        """The events that are due now for each of *decisions*, as JSON."""
        if not self.event_lanes:
            return {}
        now = datetime.now(UTC)
        return {each.claim: [event.encode() for event in self._events_of(wiki, each, now)] for each in decisions}

    def _events_of(self, wiki: Wiki, decision: Decision, now: datetime) -> list[Event]:
        if decision.edit.is_reconciled and not decision.is_final:
            # Later it would be unknown which sinks got such an event now, and which had one before.
            return []
        return self.announcing.events_of(
            decision.edit,
            decision.answers if decision.is_final else decision.given,
            domain=wiki.settings.domain,
            article_path=wiki.settings.article_path,
            now=now,
            are_all=decision.is_final,
        )

    def _sent(self, wiki: Wiki, edits: Collection[Edit]) -> dict[str, set[int]]:
        """Sink to the reconciled *edits* of which it got, or will get, an event with another id."""
        revisions = {edit.revision for edit in edits if edit.is_reconciled}
        if not revisions:
            return {}
        with wiki.database.reading() as connection:
            return {
                sink: revisions - lacking(connection, sink, lane, revisions) for sink, lane in self.event_lanes.items()
            }

    async def _known_models(self, wiki: Wiki, edits: Mapping[Claim, Edit]) -> KnownModels:
        """The current versions of the wiki's models; the endpoint is asked for those the database does not have yet."""
        known = dict(wiki.database.run(current_models))
        missing = [model for model in wiki.models if model not in known]
        sample = next((edit for edit in edits.values() if set(missing) & set(plan(edit, wiki.models))), None)
        if sample is None:
            return known
        try:
            with self.computing.waiting():
                found = await self.client.versions(wiki.id, missing, Sample(sample.revision, sample.page))
        except EndpointUnavailable as error:
            log.warning("endpoint_unavailable", wiki=wiki.id, error=str(error))
            return known
        numbers = _numbers(wiki, list(found.items()), known)
        return known | {
            model: KnownModel(version, numbers[model, version])
            for model, version in found.items()
            if (model, version) in numbers
        }

    def _planned(self, wiki: Wiki, edits: Mapping[Claim, Edit], known: KnownModels) -> dict[Claim, list[ScoreId]]:
        """The ids of the scores that each edit should have; of an edit of the past only those that it lacks."""
        planned = {claim: _score_ids(wiki, edit, known) for claim, edit in edits.items()}
        if self.lane is EDITS:
            return planned
        missing = wiki.database.run(lambda connection: missing_models(connection, wiki, edits.values()))
        return {
            claim: [score_id for score_id in ids if score_id.model in missing.get(score_id.revision, ())]
            for claim, ids in planned.items()
        }


def _score_ids(wiki: Wiki, edit: Edit, known: KnownModels) -> list[ScoreId]:
    return [
        ScoreId(wiki.id, model, edit.revision, known[model].version if model in known else UNKNOWN_VERSION, edit.page)
        for model in plan(edit, wiki.models)
    ]


def _rows(wiki: Wiki, decision: Decision, numbers: Mapping[tuple[str, str], int]) -> list[Classification]:
    return [
        row
        for score in decision.scores
        if (score.model, score.version) in numbers
        for row in rows_of(score, decision.edit.revision, numbers[score.model, score.version], wiki.models[score.model])
    ]


def _numbers(wiki: Wiki, seen: Sequence[tuple[str, str]], known: KnownModels) -> dict[tuple[str, str], int]:
    """The `oresm_id` of each (model, version) in *seen*: asked of the database only where *known* lacks one."""
    numbers = {(name, model.version): model.id for name, model in known.items() if model.id <= MOST_MODELS}
    if numbers.keys() >= set(seen):
        return numbers
    return wiki.database.run(lambda connection: model_ids(connection, seen, known))
