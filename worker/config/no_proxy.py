"""Which hosts a list of exceptions from the proxy, such as `NO_PROXY`, means. Pure."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult

#: Ports of URLs that name none.
PORTS = {"http": 80, "https": 443}


def is_exempt(url: SplitResult, entries: Iterable[str]) -> bool:
    """Whether one of *entries* means the host of *url*: `*`, a domain with its subdomains, an address, a network.

    An entry may have a port; an IPv6 address may stand in brackets. Any other entry means no host.
    """
    return any(_means(entry.strip().lower(), url) for entry in entries)


def is_local(url: SplitResult) -> bool:
    """Whether *url* is on this machine."""
    host = _host(url)
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def _means(entry: str, url: SplitResult) -> bool:
    if not entry or entry == "*":
        return entry == "*"
    host, address = _host(url), _address(_host(url))
    entry = entry.partition("://")[2] or entry
    try:
        network = ip_network(re.sub(r"^\[(.*)\](/\d+)?$", r"\1\2", entry), strict=False)
    except ValueError:
        network = None
    if network is not None:
        return address is not None and address in network
    name, _, port = entry.rpartition(":") if re.search(r"(\]|^[^:]+):\d+$", entry) else (entry, "", "")
    if port and int(port) != (url.port or PORTS.get(url.scheme)):
        return False
    name = name.strip("[]").removeprefix("*").strip(".")
    if _address(name) is not None:
        return address == _address(name)
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _host(url: SplitResult) -> str:
    return (url.hostname or "").rstrip(".")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
