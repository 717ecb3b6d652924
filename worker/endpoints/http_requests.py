"""One request to an endpoint and its whole reply, over httpx' transport, without its client."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from typing import Any, cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from worker.config.http_routes import HttpRoutes
from worker.config.settings_sections import EndpointSettings
from worker.domain.errors import EndpointUnavailable
from worker.domain.failures import Failure
from worker.domain.json_text import to_json
from worker.domain.unpacking import Unpacking, UnreadableReply
from worker.endpoints.sentences import storable
from worker.endpoints.token import TokenFile

#: Bytes of a reply at most; enough for fifty revisions of a model with sixty-four topics.
LARGEST_REPLY_BYTES = 4 * 1024 * 1024


class HttpRequests:
    """Sends requests to one endpoint. Made inside the event loop that will use it."""

    def __init__(self, settings: EndpointSettings, routes: HttpRoutes, section: str) -> None:
        route = routes.to(settings.url, section=section, proxy=settings.proxy, ca_file=settings.ca_file)
        # The aiohttp transport costs a quarter of plain httpx' processor time per request, and a third less without a
        # client around it, with its merging of URLs, headers and cookies.
        self._http = AiohttpTransport(
            limits=httpx.Limits(max_connections=settings.concurrency),
            verify=route.tls(),
            proxy=None if route.proxy is None else httpx.Proxy(route.proxy),
        )
        headers = httpx.Headers(
            {
                "User-Agent": user_agent(settings.contact),
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                **{name: value.get_secret_value() for name, value in settings.headers.items()},
            }
        )
        with_body = headers.copy()
        with_body["Content-Type"] = "application/json"
        #: By whether there is a body: each request gets a copy, which costs less than adding a header to it.
        self._headers = {False: headers, True: with_body}
        self._token = None if settings.token_file is None else TokenFile(settings.token_file, "token_file")
        self._address = settings.url.rstrip("/")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(
        self, where: str, method: str, path: str, params: Mapping[str, str] | None, body: Any, host: str | None
    ) -> tuple[httpx.Response, bytes]:
        """Send one request, and return its reply of any status, with the whole content; *where* begins each error.

        Raises:
            EndpointUnavailable: there is no reply, or its content can't be read.
            TimeoutError: the transport gave up waiting.
        """
        # Host and length are the transport's to add. The deadline is that of the whole exchange: one for each part
        # would cost a timer each.
        request = httpx.Request(
            method,
            _url(f"{self._address}{path}"),
            params=params,
            headers=self._headers[body is not None],
            stream=httpx.ByteStream(b"" if body is None else to_json(body).encode()),
        )
        request.read()
        # Otherwise httpx looks through all headers for the character set of each.
        request.headers.encoding = "utf-8"
        if host is not None:
            request.headers["Host"] = host
        if self._token is not None:
            request.headers["Authorization"] = await self._token.header()
        failure = Failure.OUTAGE
        try:
            response = await self._http.handle_async_request(request)
            # From here on the endpoint was reached, and a failure is one of its reply.
            failure = Failure.TRANSIENT
            if response.is_success:
                response.headers.encoding = "iso-8859-1"
            try:
                return response, await _content(where, response)
            finally:
                await response.aclose()
        except httpx.TimeoutException as error:
            # The transport reports a refused or broken connection as a time-out.
            if error.__cause__ is None or isinstance(error.__cause__, TimeoutError):
                raise TimeoutError from error
            has_connected = not isinstance(error.__cause__, aiohttp.ClientConnectorError)
            # An endpoint that breaks off, or stays silent, may do so because of what was asked.
            failure = Failure.LATE if has_connected else failure
            raise EndpointUnavailable(f"{where}: {_broken(error.__cause__)}", failure) from error
        # The transport passes on aiohttp's own error for a reply that is not HTTP, and a UnicodeError for a status line
        # that is not text.
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, UnicodeError) as error:
            raise EndpointUnavailable(f"{where}: {storable(str(error)) or type(error).__name__}", failure) from error


@lru_cache(maxsize=1024)
def _url(address: str) -> httpx.URL:
    """*address*, taken to pieces: a sixth of a request's cost, and most requests go to a few addresses."""
    return httpx.URL(address)


async def _content(where: str, response: httpx.Response) -> bytes:
    encodings = response.headers.get_list("Content-Encoding", split_commas=True)
    try:
        unpacking = Unpacking(encodings, LARGEST_REPLY_BYTES)
        async for chunk in cast("httpx.AsyncByteStream", response.stream):
            unpacking.take(chunk)
        return unpacking.content()
    except UnreadableReply as error:
        raise EndpointUnavailable(f"{where}: {error}", Failure.TRANSIENT) from error


def user_agent(contact: str | None) -> str:
    """Name, version and contact of the client, and the libraries it uses.

    Source of the form: Wikimedia Foundation User-Agent Policy, foundation.wikimedia.org.
    """
    libraries = " ".join(f"{name}/{version(name)}" for name in ("httpx", "aiohttp"))
    return f"Outpatrol/{version('outpatrol')} ({contact or 'no contact set'}) {libraries}"


def _broken(error: BaseException) -> str:
    """Why there is no connection, or why it broke off."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError):
        return f"connection refused by {error.host}:{error.port}; start the endpoint, or correct its url"
    return storable(str(error)) or type(error).__name__
