"""The front door in a test's own process: asked in its event loop, with threads that stand in for worker processes.

All else is as it is in life: the routes, Redis, the workers' own code, single flight and the emulated endpoint.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from tests.patience import until
from worker.bootstrap import Services, build_door
from worker.domain.errors import WorkerError
from worker.domain.scores import ScoreId
from worker.flight.door import Sends
from worker.scores.on_demand import score_on_demand, scores_on_demand
from worker.settings import Settings
from worker.tasks.documents import make_document
from worker.web.application import make_application
from worker.web.asking import context_of

Result = TypeVar("Result")
Reply = httpx.Response
BASE = "http://front"


@dataclass
class Workers:
    """Do what worker processes do with what they are sent; or nothing, while they are away."""

    services: Services
    are_there: bool = True
    #: What was sent, by the name of the task.
    sent: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8))
    _at_work: list[Future[None]] = field(default_factory=list)

    def sends(self) -> Sends:
        return Sends(score=self._score, scores=self._scores, document=self._document)

    def tasks(self, name: str) -> int:
        return sum(sent == name for sent, _ in self.sent)

    async def until_sent(self, name: str) -> None:
        """Wait until that task was sent."""
        await asyncio.to_thread(until, lambda: self.tasks(name) > 0, f"a task {name}")

    def until_idle(self) -> None:
        """Wait until all that was sent is done with: a reply may come before what was held for it is given back."""
        wait(self._at_work)

    def close(self) -> None:
        self._threads.shutdown()

    def _score(self, text: str) -> None:
        def work() -> None:
            score_id = ScoreId.parse(text)
            wiki = self.services.wiki(score_id.wiki)
            with suppress(WorkerError):
                self.services.runner.run(
                    score_on_demand(wiki, score_id, self.services.flights[wiki.id], self.services.client)
                )

        self._do("score", work, text)

    def _scores(self, wiki_id: str, texts: Sequence[str]) -> None:
        def work() -> None:
            wiki = self.services.wiki(wiki_id)
            ids = [ScoreId.parse(text) for text in texts]
            self.services.runner.run(scores_on_demand(wiki, ids, self.services.flights[wiki_id], self.services.client))

        self._do("scores", work, wiki_id, tuple(texts))

    def _document(self, kind: str, wiki: str, *rest: str) -> None:
        self._do("document", lambda: make_document(self.services, kind, wiki, *rest), kind, wiki, *rest)

    def _do(self, name: str, work: Callable[[], None], *arguments: Any) -> None:
        self.sent.append((name, arguments))
        if self.are_there:
            self._at_work.append(self._threads.submit(work))


class Front:
    """The front door of *settings*, with *workers* behind it."""

    def __init__(self, settings: Settings, workers: Workers) -> None:
        self.workers = workers
        self._runner = asyncio.Runner()
        self.door = build_door(settings, sends=workers.sends())
        self.application = make_application(context_of(settings, self.door))
        self.http = self.client_at("127.0.0.1")

    def client_at(self, address: str) -> httpx.AsyncClient:
        """A client that seems to connect from that address."""
        transport = httpx.ASGITransport(self.application, client=(address, 4711), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=BASE)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(work)

    def get(self, path: str, **options: Any) -> Reply:
        return self.run(self.http.get(path, **options))

    def post(self, path: str, **options: Any) -> Reply:
        return self.run(self.http.post(path, **options))

    def at_once(self, paths: Sequence[str]) -> list[Reply]:
        async def ask() -> list[Reply]:
            return await asyncio.gather(*(self.http.get(path) for path in paths))

        return self.run(ask())

    def json(self, path: str) -> Any:
        reply = self.get(path)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def error(self, path: str) -> tuple[int, str, str]:
        """Status, code and message of a reply that is an error."""
        reply = self.get(path)
        error = reply.json()["error"]
        return reply.status_code, error["code"], error["message"]

    def close(self) -> None:
        """End requests that nobody waited for, as the server does, and then what they ask."""
        self.run(self._end_requests())
        self.run(self.http.aclose())
        self.run(self.door.close())
        self._runner.close()

    async def _end_requests(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
