"""Variables that begin like settings but are none: a mistake, unless something else is known to set them. Pure."""

import difflib
import re
from collections.abc import Collection, Mapping

PREFIX, LEVEL = "OUTPATROL_", "__"
#: Our own variables that are no settings: the file's name, those that docker/compose.yaml reads, and those of the
#: tests.
OTHERS = re.compile(
    r"CONFIG|(PYTHON_|MARIADB_|REDIS_)?IMAGE|(MARIADB|REDIS|SCORING|WEB)_PORT|MARIADB_(ROOT_)?PASSWORD|REQUIRE_DOCKER|TEST_\w+"
)
#: Kubernetes sets these in every container, for each service whose name begins like our variables (`outpatrol-redis`).
SERVICES = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
SERVICE = re.compile(r"(\w+_)?PORT")


def unknown_variables(variables: Mapping[str, str], settings: Collection[str]) -> list[str]:
    """A sentence for each of *variables* (name to value) that is none of *settings* (names of the first level)."""
    known = {name.upper() for name in settings}
    sentences = []
    for variable, value in sorted(variables.items()):
        upper = variable.upper()
        name = upper.removeprefix(PREFIX)
        if upper.startswith(PREFIX) and name.partition(LEVEL)[0] not in known and not _is_of_others(name, value):
            meant = _meant(name, known)
            way_out = f"write {PREFIX}{meant}, or unset it" if meant else "unset it"
            sentences.append(f"{variable}: there is no such setting; {way_out}")
    return sentences


def _is_of_others(name: str, value: str) -> bool:
    if OTHERS.fullmatch(name) or SERVICES.fullmatch(name):
        return True
    return SERVICE.fullmatch(name) is not None and "://" in value


def _meant(name: str, known: Collection[str]) -> str | None:
    """The likely name: with two underscores between the levels, or the nearest one."""
    first, level, rest = name.partition(LEVEL)
    for section in known:
        if name.startswith(f"{section}_") and not level:
            return f"{section}{LEVEL}{name.removeprefix(f'{section}_')}"
    nearest = difflib.get_close_matches(first, known, n=1)
    return f"{nearest[0]}{level}{rest}" if nearest else None
