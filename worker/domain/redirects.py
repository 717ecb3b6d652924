"""What a redirect means for a URL in the settings: it is never followed, since its target may be anybody. Pure."""

from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

#: Characters kept of an address.
LONGEST_ADDRESS = 200


def advice(asked: str, base: str, location: str | None, *, setting: str) -> str:
    """Where a redirect of *asked* (*base* plus a path) leads, and what to write into *setting*.

    The target is shown without query and password.
    """
    target = _target(asked, location)
    if target is None:
        return f"it leads nowhere; correct {setting}, or the server at that address"
    shown = _shown(target)
    path = asked.removeprefix(base.rstrip("/"))
    other = shown.removesuffix(path) if path and shown.endswith(path) else None
    if other and other.rstrip("/") != base.rstrip("/"):
        return f"it leads to {shown}; write {other} into {setting}"
    if _is_the_same(target, urlsplit(asked)):
        return f"it leads back to the same address; correct the server there, or {setting}"
    return f"it leads to {shown}, which is no other base of the same API; correct {setting}"


def _target(asked: str, location: str | None) -> SplitResult | None:
    try:
        target = urlsplit(urljoin(asked, location or ""))
        # Reading the port raises if it is not a number.
        is_address = (
            bool(location) and target.scheme in {"http", "https"} and bool(target.hostname) and target.port != 0
        )
    except ValueError:
        return None
    return target if is_address else None


def _shown(target: SplitResult) -> str:
    host = target.netloc.rpartition("@")[2]
    text = urlunsplit((target.scheme, host, target.path, "", ""))
    return "".join(character if "!" <= character <= "~" else "?" for character in text)[:LONGEST_ADDRESS]


def _is_the_same(target: SplitResult, asked: SplitResult) -> bool:
    return (target.scheme, target.netloc, target.path.rstrip("/")) == (
        asked.scheme,
        asked.netloc,
        asked.path.rstrip("/"),
    )
