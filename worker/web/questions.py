"""What a request asks for, read from its path, its query and its form as ORES reads them. Pure.

Source: wikimedia/ores ores/wsgi/util.py and ores/score_request.py @ 8369ea0.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl

from worker.web.asking import Wikis
from worker.web.refusals import Refusal, unknown_models, unknown_wiki

Value = TypeVar("Value")

#: The limit of v3; ORES has none in v1 and v2, where one request could ask for anything.
MOST_REVISIONS = 50
MOST_PARAMETERS = 500
#: Characters of all paths of `model_info` together; the endpoint is asked once for each distinct set of them.
LONGEST_PATHS = 4_000


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks for: scores of revisions, information about models, or both."""

    wiki: str
    models: tuple[str, ...]
    revisions: tuple[int, ...] = ()
    #: Paths into what is known of the models.
    info: tuple[str, ...] = ()
    with_features: bool = False
    #: Whether it counts as precaching, which makes no other difference.
    is_precache: bool = False


class Parameters:
    """The parameters of the query, then those of the form; if a name has several values, the first counts."""

    def __init__(self, query: bytes, form: bytes = b"") -> None:
        """Read them.

        Raises:
            Refusal: there are too many.
        """
        self.of_query: Mapping[str, str] = _read(query)
        self._all = {**_read(form), **self.of_query} if form else self.of_query

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def get(self, name: str) -> str | None:
        return self._all.get(name)

    def several(self, name: str, read: Callable[[str], Value]) -> list[Value]:
        """The values of *name* between bars, each once.

        Raises:
            Refusal: one of them can't be read.
        """
        text = self.get(name)
        if text is None:
            return []
        try:
            return list(dict.fromkeys(map(read, text.split("|"))))
        except ValueError as error:
            raise Refusal(400, f"Could not interpret {name}. {error}") from None


def read_question(
    wikis: Wikis,
    parameters: Parameters,
    wiki: str,
    *,
    revision: str | None = None,
    model: str | None = None,
    most: int = MOST_REVISIONS,
) -> Question:
    """The question about *wiki*; what stands in the path, *revision* and *model*, wins over the parameters.

    Raises:
        Refusal: it can't be read, or is about a wiki or a model that is not there.
    """
    revisions = [_number(revision)] if revision is not None else parameters.several("revids", int)
    models = [model] if model is not None else parameters.several("models", str)
    info = read_paths(parameters)
    _refuse_injections(parameters)
    if len(revisions) > most:
        raise Refusal(400, f"Too many values for 'revids' parameter.  Max of {most}.")
    known = wikis.get(wiki)
    if known is None:
        raise unknown_wiki(wiki, wikis)
    unknown = sorted(set(models) - known.keys())
    if unknown:
        raise unknown_models(wiki, unknown, known)
    return Question(
        wiki=wiki,
        models=tuple(models or known),
        revisions=tuple(revisions),
        info=info,
        with_features="features" in parameters.of_query,
        is_precache="precache" in parameters.of_query,
    )


def read_paths(parameters: Parameters) -> tuple[str, ...]:
    """The paths of `model_info`.

    Raises:
        Refusal: they are too long.
    """
    paths: Sequence[str] = parameters.several("model_info", str)
    if sum(map(len, paths)) > LONGEST_PATHS:
        raise Refusal(400, f"Could not interpret model_info. More than {LONGEST_PATHS} characters.")
    return tuple(paths)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        # More digits than Python reads.
        raise Refusal(400, f"Could not interpret revids. {error}") from None


def _refuse_injections(parameters: Parameters) -> None:
    for name in parameters:
        if name == "inject" or name.startswith(("feature.", "datasource.")):
            raise Refusal(400, f"Could not interpret {name}. Values can't be injected here: scores are shared.")


def _read(text: bytes) -> Mapping[str, str]:
    if not text:
        return {}
    if b"%" not in text and b"+" not in text and text.isascii() and text.count(b"&") < MOST_PARAMETERS:
        # The same as below, without a third of the time of a whole reply.
        parts = (part.partition("=") for part in text.decode().split("&") if part)
        return dict(reversed([(name, value) for name, _, value in parts]))
    try:
        pairs = parse_qsl(
            text.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="replace"
        )
    except ValueError as error:
        raise Refusal(400, f"Could not interpret the parameters. {error}") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


NO_PARAMETERS = Parameters(b"")
