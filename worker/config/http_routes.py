"""The one rule by which all our HTTP goes out: through which proxy, and whose certificates it trusts.

A setting of the section that names the URL comes first, then the section `[http]`, then the environment: `https_proxy`
or `http_proxy` by the scheme of the URL, then `all_proxy`, none of them for hosts in `no_proxy`; `SSL_CERT_FILE`, then
`SSL_CERT_DIR`. A variable in small letters comes before the same one in capitals, and an empty value means none. Hosts
on this machine (localhost, 127.0.0.0/8, ::1) are never reached through a proxy of the environment; so it is in Go
(golang.org/x/net http/httpproxy).
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import certifi

from worker.config.no_proxy import PORTS, is_exempt, is_local
from worker.config.settings_sections import HttpSettings
from worker.domain.errors import SettingsInvalid

NOTHING_SET = HttpSettings()


@dataclass(frozen=True, slots=True)
class Route:
    """How one URL is reached."""

    #: URL of the proxy, which may hold a user and a password.
    proxy: str | None = field(default=None, repr=False)
    #: The file or directory of trusted certificates, and the setting or variable that names it; None: certifi's.
    ca_file: Path | None = None
    ca_directory: Path | None = None
    trusted_by: str = ""

    def tls(self) -> ssl.SSLContext:
        """A context that trusts those certificates.

        Raises:
            SettingsInvalid: they can't be read; the sentence names setting and file.
        """
        where = self.ca_file or self.ca_directory
        if self.ca_directory is not None and not self.ca_directory.is_dir():
            raise SettingsInvalid(f"{self.trusted_by}: {where} is no directory; correct it, or unset it")
        try:
            return ssl.create_default_context(
                cafile=self.ca_file or (certifi.where() if where is None else None), capath=self.ca_directory
            )
        except OSError as error:
            # Python's own log of keys: the name of its file is only in the error.
            if error.filename is not None:
                raise SettingsInvalid(
                    f"SSLKEYLOGFILE: {error.filename} can't be written to ({error.strerror}); correct it, or unset it"
                ) from error
            raise SettingsInvalid(
                f"{self.trusted_by}: {where} holds no certificates ({error}); write them there as PEM, or correct it"
            ) from error


@dataclass(frozen=True, slots=True)
class HttpRoutes:
    """What is set about proxies and certificates, here and in the environment."""

    settings: HttpSettings = NOTHING_SET
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def to(self, url: str, *, section: str = "", proxy: str | None = None, ca_file: Path | None = None) -> Route:
        """The route to *url*; *proxy* and *ca_file* are those of the *section* of the settings that names it.

        Raises:
            SettingsInvalid: the proxy can't be used.
        """
        at = f"{section}." if section else ""
        its_proxy, proxy_from = self._proxy(urlsplit(url), f"{at}proxy", proxy)
        file, directory, trusted_by = self._certificates(f"{at}ca_file", ca_file)
        return Route(_checked(its_proxy, proxy_from), file, directory, trusted_by)

    def _proxy(self, url: SplitResult, setting: str, proxy: str | None) -> tuple[str | None, str]:
        if proxy is not None:
            return proxy, setting
        if self.settings.proxy is not None:
            return (None if is_exempt(url, self.settings.no_proxy) else self.settings.proxy), "http.proxy"
        exempt = [*self.settings.no_proxy, *re.split(r"[\s,]+", self._variable("no_proxy")[0])]
        if is_local(url) or is_exempt(url, exempt):
            return None, ""
        for name in (f"{url.scheme}_proxy", "all_proxy"):
            value, variable = self._variable(name)
            if value:
                return value, variable
        return None, ""

    def _certificates(self, setting: str, ca_file: Path | None) -> tuple[Path | None, Path | None, str]:
        if ca_file is not None:
            return ca_file, None, setting
        if self.settings.ca_file is not None:
            return self.settings.ca_file, None, "http.ca_file"
        if file := self.environment.get("SSL_CERT_FILE"):
            return Path(file), None, "SSL_CERT_FILE"
        if directory := self.environment.get("SSL_CERT_DIR"):
            return None, Path(directory), "SSL_CERT_DIR"
        return None, None, ""

    def _variable(self, name: str) -> tuple[str, str]:
        """The value of a variable, and its name as it is spelled there."""
        found = next((each for each in (name, name.upper()) if each in self.environment), name)
        return self.environment.get(found, "").strip(), found


#: The route if neither settings nor environment say anything.
DIRECT = Route()
ALL_DIRECT = HttpRoutes()


def _checked(proxy: str | None, source: str) -> str | None:
    """The URL of *proxy*, with a scheme; None if it is empty."""
    if not proxy:
        return None
    full = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(full)
        is_right = bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_right = SplitResult("", "", "", "", ""), False
    if is_right and parts.scheme in PORTS:
        return full
    # Never the value: it may hold a password.
    kind = f"a {parts.scheme} proxy" if is_right else "no URL of a proxy"
    raise SettingsInvalid(
        f"{source} names {kind}, which can't be used; write http://host:port there, or set http.proxy, "
        'which is "" for none, or name the host in no_proxy'
    )
