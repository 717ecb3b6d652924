"""Where a database URL leads, so that two URLs of one database can be recognized."""

import os
import re
import socket
from collections.abc import Hashable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DEFAULT_PORT = 3306
#: Names that the hosts files of Linux give to this machine, and all that end in these.
LOCAL_NAMES = re.compile(r"(.*\.)?localhost[46]?(\.localdomain[46]?)?|ip6-(localhost|loopback)")
#: An IPv4 address in the short, hexadecimal or octal forms that the system still takes: 127.1, 0x7f000001.
OLD_FORM = re.compile(r"(0x[0-9a-f]+|[0-9]+)(\.(0x[0-9a-f]+|[0-9]+)){0,3}")
#: The driver's own options, which override the rest of a URL.
HOST, PORT, SOCKET = "host", "port", "unix_socket"


def place_of(url: str) -> Hashable:
    """A value that is equal for two URLs of one database: server, port and name, or the file.

    Driver, account, password and options make no difference, and neither does upper case, since on many servers the
    names of databases ignore it. All names of this machine are one place; two other names of one server count as
    different places, since no name server is asked, and so does a socket. Links to files are followed. A URL that can't
    be read is a place of its own.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _file_of(parsed.database or ":memory:")
        return (*_server_of(parsed), (parsed.database or "").casefold())
    except (ArgumentError, ValueError):
        return url


def _file_of(name: str) -> Hashable:
    if name == ":memory:":
        return name
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    try:
        found = Path(name).stat()
    except OSError:
        return os.path.realpath(name)
    return found.st_dev, found.st_ino


def _server_of(url: URL) -> tuple[str, int | None]:
    options = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    if SOCKET in options:
        return os.path.realpath(options[SOCKET]), None
    host = (options.get(HOST) or url.host or "localhost").casefold().removesuffix(".")
    return _host(host), int(options.get(PORT) or url.port or DEFAULT_PORT)


def _host(name: str) -> str:
    """*name*, in lower case, as it is spelled most shortly; "localhost" for this machine."""
    address = _address(name)
    if address is None:
        is_here = LOCAL_NAMES.fullmatch(name) or name == socket.gethostname().casefold()
        return "localhost" if is_here else name
    return "localhost" if address.is_loopback or address.is_unspecified else str(address)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        address = IPv4Address(socket.inet_aton(name)) if OLD_FORM.fullmatch(name) else ip_address(name)
    except (OSError, ValueError):
        return None
    return getattr(address, "ipv4_mapped", None) or address
