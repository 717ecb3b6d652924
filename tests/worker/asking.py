"""Both clients, made inside an event loop as the worker makes them, asked and closed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from tests.builders import some_settings
from tests.patience import PATIENCE_SECONDS
from tests.worker.raw_server import RawReply, RawServer, Request, raw_server
from worker.domain.scores import Answer, Sample, ScoreId
from worker.endpoints.client import Endpoint
from worker.endpoints.lift_wing import LiftWingClient
from worker.endpoints.limits import Grant, Report
from worker.endpoints.ores import OresClient
from worker.endpoints.pacer import Pacer
from worker.endpoints.scoring_client import ScoringClient

Result = TypeVar("Result")

KINDS = ("ores", "lift_wing")
RISK = "revertrisklanguageagnostic"
VERSION = "0.5.1"
NO_PAGES: Mapping[int, int] = MappingProxyType({})
#: The codes that Lift Wing knows these wikis by.
LANGUAGES = {"enwiki": "en", "be_x_oldwiki": "be-tarask", "zh_min_nanwiki": "nan", "wikidatawiki": None}


class Unlimited:
    """Limits that nothing reaches."""

    def together(self, report: Report, *, in_flight: int, waiting: int, want: int) -> None:
        return None

    def are_held_by_others(self) -> bool:
        return False

    def alone(self, report: Report, *, in_flight: int, waiting: int, want: int) -> Grant:
        return Grant(starts=want, places=in_flight + waiting, share=10_000, rate=1e6, members=1)


def ids(
    revisions: Sequence[int], models: Sequence[str] = ("damaging", "goodfaith"), version: str = VERSION
) -> list[ScoreId]:
    return [ScoreId("enwiki", model, revision, version) for revision in revisions for model in models]


def make_client(kind: str, url: str, **endpoint: Any) -> ScoringClient:
    settings = some_settings(scoring_url=url, endpoint={"kind": kind} | endpoint)
    pacer = Pacer(url, Unlimited(), patience=PATIENCE_SECONDS)
    if kind == "ores":
        return OresClient(Endpoint(settings.endpoints_by_name["default"], pacer))
    return LiftWingClient(Endpoint(settings.endpoints_by_name["default"], pacer), settings.scoring_models(), LANGUAGES)


async def with_client(
    kind: str, url: str, work: Callable[[ScoringClient], Awaitable[Result]], **endpoint: Any
) -> Result:
    client = make_client(kind, url, **endpoint)
    try:
        return await work(client)
    finally:
        await client.close()


def of_pages(wanted: Sequence[ScoreId], pages: Mapping[int, int]) -> list[ScoreId]:
    """*wanted* with the pages of their revisions."""
    return [replace(score_id, page=pages.get(score_id.revision)) for score_id in wanted]


def ask(
    kind: str, url: str, wanted: Sequence[ScoreId], *, pages: Mapping[int, int] = NO_PAGES, **endpoint: Any
) -> dict[ScoreId, Answer]:
    return asyncio.run(with_client(kind, url, lambda client: client.score(of_pages(wanted, pages)), **endpoint))


def ask_raw(
    kind: str,
    wanted: Sequence[ScoreId],
    reply: Callable[[Request], RawReply],
    *,
    pages: Mapping[int, int] = NO_PAGES,
    **endpoint: Any,
) -> tuple[dict[ScoreId, Answer], RawServer]:
    """Ask a server that may say anything; returns the answers, and the server with all that it was asked."""

    async def converse() -> tuple[dict[ScoreId, Answer], RawServer]:
        async with raw_server(reply) as server:
            return await with_client(
                kind, server.url, lambda client: client.score(of_pages(wanted, pages)), **endpoint
            ), server

    return asyncio.run(converse())


def ask_versions(kind: str, url: str, models: Sequence[str], revision: int = 1) -> dict[str, str]:
    return asyncio.run(
        with_client(kind, url, lambda client: client.versions("enwiki", models, Sample(revision) if revision else None))
    )
