"""One request to an endpoint: what is sent with each, and its whole reply."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from typing import Any
from urllib.parse import urlencode

import httpx
from pydantic_core import to_json

from worker.config.http_connections import Connections, NoReplyError, Reply
from worker.config.http_routes import HttpRoutes
from worker.config.settings_sections import EndpointSettings
from worker.domain.errors import EndpointUnavailable, SettingsInvalid
from worker.domain.failures import Failure
from worker.endpoints.token import TokenFile


class HttpRequests:
    """Sends requests to one endpoint. Made inside the event loop that will use it."""

    def __init__(self, settings: EndpointSettings, routes: HttpRoutes, section: str) -> None:
        route = routes.to(settings.url, section=section, proxy=settings.proxy, ca_file=settings.ca_file)
        try:
            self._connections = Connections(settings.url, route.tls(), settings.concurrency, route.proxy)
        except ValueError as error:
            raise SettingsInvalid(f"{section}.url: {settings.url} is no address ({error}); correct it") from error
        headers = httpx.Headers(
            {
                "Host": self._connections.host,
                "User-Agent": user_agent(settings.contact),
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
            }
        )
        headers.update({name: value.get_secret_value() for name, value in settings.headers.items()})
        self._token = None if settings.token_file is None else TokenFile(settings.token_file, "token_file")
        if self._token is not None:
            headers.pop("Authorization", None)
        self._host = headers.pop("Host")
        #: Made once, since they are the same in each request.
        self._headers = "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in headers.raw)
        self._address = settings.url.rstrip("/")

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    async def send(
        self, where: str, method: str, path: str, params: Mapping[str, str] | None, body: Any, host: str | None
    ) -> Reply:
        """Send one request, and return its reply of any status; *where* begins each error.

        Raises:
            EndpointUnavailable: there is no reply, or its content can't be read.
        """
        headers = f"Host: {host or self._host}\r\n{self._headers}"
        if self._token is not None:
            headers = f"{headers}Authorization: {await self._token.header()}\r\n"
        content = b"" if body is None else to_json(body)
        if content:
            headers = f"{headers}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        try:
            target = _path(f"{self._address}{path}")
            if params:
                target = f"{target}?{urlencode(params)}"
            return await self._connections.exchange(method, target, headers, content)
        except NoReplyError as error:
            raise EndpointUnavailable(f"{where}: {error}", error.failure) from error
        except httpx.InvalidURL as error:
            raise EndpointUnavailable(f"{where}: {error}", Failure.OUTAGE) from error


@lru_cache(maxsize=1024)
def _path(url: str) -> str:
    """The path in *url*, quoted: to take a URL to pieces costs a sixth of a request, and most go to a few of them."""
    return httpx.URL(url).raw_path.decode("ascii")


def user_agent(contact: str | None) -> str:
    """Name, version and contact of the client, and the libraries it uses.

    Source of the form: Wikimedia Foundation User-Agent Policy, foundation.wikimedia.org.
    """
    libraries = " ".join(f"{name}/{version(name)}" for name in ("httpx", "aiohttp"))
    return f"Outpatrol/{version('outpatrol')} ({contact or 'no contact set'}) {libraries}"
