"""How many requests each client may have at once; clients are known by their addresses, which are stored nowhere.

Source of the rule: wikimedia/ores ores/lock_manager/pool_counter.py and ores/scoring_systems/scoring_system.py,
both @ 8369ea0.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from starlette.requests import Request

from worker.config.settings_sections import Network, WebSettings
from worker.web.refusals import TIMED_OUT, TOO_MANY, Refusal

IpAddress = IPv4Address | IPv6Address
RETRY_SECONDS = 1
#: The part of an IPv6 address that one owner has.
SITE_BITS = 64
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


@dataclass(slots=True)
class _Places:
    free: asyncio.Semaphore
    #: Requests that hold a place or wait for one.
    there: int = field(default=0)


class Clients:
    """Places of clients; used in one event loop."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._places: dict[str, _Places] = {}

    @asynccontextmanager
    async def place(self, request: Request) -> AsyncIterator[None]:
        """Hold a place of the client that sent *request*; if it has none left, wait a while.

        Raises:
            Refusal: too many wait already, or it waited too long.
        """
        address = address_of(request, self._settings.trusted_proxies)
        if address is None or _is_in(address, self._settings.unlimited_clients):
            yield
            return
        most, owner = self._settings.requests_per_client, _owner(address)
        places = self._places.get(owner) or self._places.setdefault(owner, _Places(asyncio.Semaphore(most)))
        if places.there >= most + self._settings.waiting_per_client:
            raise Refusal(429, TOO_MANY, retry_after=RETRY_SECONDS)
        places.there += 1
        try:
            if places.free.locked():
                await _acquired(places.free, self._settings.timeout_seconds)
            else:
                await places.free.acquire()
            try:
                yield
            finally:
                places.free.release()
        finally:
            places.there -= 1
            if not places.there:
                self._places.pop(owner, None)


async def _acquired(places: asyncio.Semaphore, seconds: float) -> None:
    try:
        await asyncio.wait_for(places.acquire(), seconds)
    except TimeoutError:
        raise Refusal(504, TIMED_OUT) from None


def address_of(request: Request, proxies: Sequence[Network]) -> IpAddress | None:
    """The address of the client; headers that say it are believed only from *proxies*.

    X-Client-IP wins, as in ORES. Of X-Forwarded-For the last address that is no proxy of ours counts: the client itself
    may have written those before it.
    """
    address = _read(request.client.host if request.client else "")
    if address is None or not _is_in(address, proxies):
        return address
    if named := _read(request.headers.get("x-client-ip", "")):
        return named
    hops = [_read(part) for header in request.headers.getlist("x-forwarded-for") for part in header.split(",")]
    for hop in reversed(hops):
        if hop is None:
            break
        address = hop
        if not _is_in(hop, proxies):
            break
    return address


def _read(text: str) -> IpAddress | None:
    """The address in *text*, in which some proxies add a port."""
    found = _WITH_PORT.fullmatch(text.strip())
    try:
        address = ip_address(found[1] or found[2] if found else text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_in(address: IpAddress, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _owner(address: IpAddress) -> str:
    return str(IPv6Network((address, SITE_BITS), strict=False) if isinstance(address, IPv6Address) else address)
