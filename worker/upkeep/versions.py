"""Looking for new model versions: ask several times, judge, make current. Also asks what formulas resolve to."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from outbox import Edit
from outbox.mediawiki.reading import recent_edits
from worker.config.settings_sections import UpkeepSettings
from worker.config.telemetry import log
from worker.config.wiki import Wiki
from worker.domain.errors import EndpointUnavailable
from worker.domain.scores import Sample
from worker.endpoints.scoring_client import ScoringClient
from worker.flight.documents import KeepsVersions
from worker.lanes.rings import PURGE_SCORES, Bell
from worker.scores.candidates import Candidate, Finding, apply, candidates, judge_versions, lock_models
from worker.scores.formulas import keep_statistics, known_statistics
from worker.scores.model_versions import current_models, keep_known_versions
from worker.scores.own_tables import BACKFILL
from worker.scores.plan import plan
from worker.upkeep.populating import populate

#: How many edits are searched for some that each model can score.
SAMPLE = 500
#: How many times as many replies are looked at once they differ from the current version.
CLOSER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCheck:
    """The result of one look at one model."""

    model: str
    finding: Finding
    #: The version that was current before, if any.
    before: str | None
    #: The version the finding is about.
    version: str | None
    #: Version to the number of replies that carried it.
    seen: Mapping[str, int]
    #: Seconds for which the candidate must still be seen; None if there is no candidate.
    wait_seconds: float | None = None


async def check_model_versions(
    wiki: Wiki, client: ScoringClient, upkeep: UpkeepSettings, *, dry_run: bool = False
) -> list[ModelCheck]:
    """Ask the endpoint which versions it runs, and make those current that have settled, in one transaction.

    A *dry_run* writes nothing. Rows of versions that are no longer current are left to the purge (`follow_up`); their
    cached results expire, since the version is part of their key.

    Raises:
        EndpointUnavailable: the endpoint answered none of the calls.
    """
    models = [name for name, model in wiki.models.items() if model.enabled]
    with wiki.database.reading() as connection:
        known = current_models(connection)
        edits, _ = recent_edits(connection, wiki.id, limit=SAMPLE)
    seen = await _replies(wiki, client, models, edits, upkeep.replies)
    differing = [name for name in models if set(seen[name]) - {known[name].version if name in known else None}]
    if differing:
        closer = await _replies(wiki, client, differing, edits, upkeep.replies * (CLOSER - 1))
        seen |= {name: seen[name] + closer[name] for name in differing}
    checks = wiki.database.run(lambda connection: _judge(connection, upkeep, seen, dry_run=dry_run))
    for check in checks:
        if check.finding is not Finding.UNCHANGED:
            log.info("model_version_checked", wiki=wiki.id, model=check.model, finding=check.finding, seen=check.seen)
    return checks


def _judge(
    connection: Connection, upkeep: UpkeepSettings, seen: Mapping[str, Mapping[str, int]], *, dry_run: bool
) -> list[ModelCheck]:
    """Decide for each model from the replies *seen* and what is stored; writes the result, except in a *dry_run*."""
    lock_models(connection, seen)
    known, waiting = current_models(connection), candidates(connection)
    checks = []
    for name, replies in seen.items():
        before, candidate = known[name].version if name in known else None, waiting.get(name)
        finding, version = judge_versions(
            before, candidate, replies, settle_seconds=upkeep.settle_seconds, majority=upkeep.majority
        )
        if not dry_run:
            apply(connection, name, finding, version, candidate)
        checks.append(
            ModelCheck(
                model=name,
                finding=finding,
                before=before,
                version=version,
                seen=replies,
                wait_seconds=_yet_to_wait(finding, version, candidate, upkeep.settle_seconds),
            )
        )
    return checks


def has_changed(checks: Sequence[ModelCheck]) -> bool:
    """Whether the current version of any model was replaced, so that readers no longer see its old rows."""
    return any(check.finding is Finding.CHANGED and check.before is not None for check in checks)


def follow_up(wiki: Wiki, checks: Sequence[ModelCheck], bell: Bell, *, rescore: bool) -> int:
    """Do what follows from *checks*: ring for the purge and, if the settings want it, promise edits to be scored again.

    Returns how many edits were promised.
    """
    if not has_changed(checks):
        return 0
    bell.ring(PURGE_SCORES, wiki.id)
    if not rescore:
        return 0
    promised = sum(step.promised for step in populate(wiki))
    log.info("scores_promised", wiki=wiki.id, edits=promised)
    bell.turn(wiki.id, BACKFILL.name)
    return promised


def keep_versions(wiki: Wiki, documents: KeepsVersions, *, even_none: bool = True) -> bool:
    """Keep the current versions for readers without a database; returns whether every model has one.

    If no model has one, that is kept only if *even_none*.
    """
    return keep_known_versions(wiki, wiki.database.run(current_models), documents, even_none=even_none)


async def resolve_formulas(wiki: Wiki, client: ScoringClient, upkeep: UpkeepSettings) -> int:
    """Ask the endpoint to resolve the formulas of this wiki's thresholds, if their results are unknown or old.

    Returns how many were asked for. Known answers stay until there are newer ones.

    Raises:
        EndpointUnavailable: the endpoint did not answer for a model; the others were asked all the same.
    """
    failures: list[EndpointUnavailable] = []
    fresh = timedelta(seconds=upkeep.statistics_seconds)
    count = 0
    known = wiki.database.run(current_models)
    for model, levels in wiki.thresholds.items():
        if model not in known or model not in wiki.models:
            continue
        version = known[model].version
        wanted = frozenset().union(*(threshold.statistics for threshold in levels.values()))
        with wiki.database.reading() as connection:
            missing = wanted - known_statistics(connection, model, version, younger_than=fresh).keys()
        if not missing:
            continue
        try:
            told, found = await client.statistics(wiki.id, model, sorted(missing))
        except EndpointUnavailable as error:
            failures.append(error)
            continue
        wiki.database.run(lambda connection: keep_statistics(connection, model, told, found))  # noqa: B023 - run at once
        count += len(missing)
        for statistic in sorted(missing):
            if found[statistic] is None:
                log.warning("formula_unreachable", wiki=wiki.id, model=model, formula=statistic.formula)
    if failures:
        raise failures[0]
    return count


def _yet_to_wait(
    finding: Finding, version: str | None, candidate: Candidate | None, settle_seconds: float
) -> float | None:
    if finding is not Finding.WAITING:
        return None
    return settle_seconds - (candidate.seconds if candidate is not None and candidate.version == version else 0)


async def _replies(
    wiki: Wiki, client: ScoringClient, models: Sequence[str], edits: Sequence[Edit], count: int
) -> dict[str, Counter[str]]:
    """The versions in *count* replies for each of *models*; all are asked at once, to reach several replicas."""
    asks = [
        client.versions(wiki.id, group, Sample(edit.revision, edit.page) if edit else None)
        for number in range(count)
        for edit, group in _groups(wiki, models, edits, number)
    ]
    replies = await asyncio.gather(*asks, return_exceptions=True)
    seen: dict[str, Counter[str]] = {name: Counter() for name in models}
    told = [reply for reply in replies if not isinstance(reply, BaseException)]
    for reply in told:
        for name, version in reply.items():
            seen[name][version] += 1
    for error in replies:
        if isinstance(error, BaseException) and not (isinstance(error, EndpointUnavailable) and told):
            raise error
    return seen


def _groups(
    wiki: Wiki, models: Sequence[str], edits: Sequence[Edit], number: int
) -> Iterator[tuple[Edit | None, list[str]]]:
    """For the look with that *number*: edits, each with the models that can score it."""
    groups: dict[int, list[str]] = defaultdict(list)
    by_revision = {edit.revision: edit for edit in edits}
    for name in models:
        suitable = [edit for edit in edits if name in plan(edit, {name: wiki.models[name]})]
        groups[suitable[number % len(suitable)].revision if suitable else 0].append(name)
    for revision, group in groups.items():
        yield by_revision.get(revision), group
