"""The short way to cached scores, for what is asked for most: v3 in one line.

It needs no route and no task, and reads no JSON: the text of each score is cut out of what is stored. If anything is
unusual or missing, the request takes the long way, which gives the same reply to the letter.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence

from starlette.types import Scope

from outbox.details import MOST
from worker.domain.answers import Stored
from worker.domain.json_text import to_json
from worker.domain.scores import read_final
from worker.web import shapes
from worker.web.asking import RouteContext
from worker.web.counting import Counts
from worker.web.questions import Parameters, Question, read_question
from worker.web.refusals import Refusal
from worker.web.repeats import Repeats
from worker.web.replies import JSON, Ready

#: Called once with the reply, or with None if the request has to take the long way.
TellReply = Callable[[Ready | None], None]

#: Key in the scope of a request that came this way; true if Redis was read and did not have every score.
TAKEN = "outpatrol.taken"
#: How many questions are kept, without their revisions, and how many beginnings of replies.
MOST_FORMS = 1_000
LONGEST_REVISION = len(str(MOST))
#: A reply with no more scores than this is made as fast as it is found among those of a moment ago.
FEW_SCORES = 8
#: A text and a number that all writers of JSON write in the same way: ASCII only, and nothing below 0.0001.
_TEXT, _NUMBER = r'"[ !#-\[\]-~]*"', r"(?:1\.0|0\.(?!0000)[0-9]+)"
_PAIR = f"{_TEXT}:{_NUMBER}"
#: A score without features, as it is stored.
_SCORE = re.compile(
    rf'{{"model":{_TEXT},"version":{_TEXT},"prediction":({_TEXT}|\[(?:{_TEXT}(?:,{_TEXT})*)?\])'
    rf',"probability":({{(?:{_PAIR}(?:,{_PAIR})*)?}})}}'.encode()
)
_BINARY = re.compile(rf'{{"(?:true|false)":{_NUMBER},"(?:true|false)":{_NUMBER}}}'.encode())


class Shortcut:
    """Answers what it can; used in one event loop."""

    def __init__(self, context: RouteContext, counts: Counts, repeats: Repeats) -> None:
        self._context = context
        self._counts = counts
        self._repeats = repeats
        #: Wiki, model and query to the question, for paths that name the revision.
        self._forms: dict[tuple[str, str | None, bytes], Question] = {}
        #: Wiki and models to their versions, and the beginning of a reply with these.
        self._beginnings: dict[tuple[str, tuple[str, ...]], tuple[Mapping[str, str], bytes, list[bytes]]] = {}

    def __len__(self) -> int:
        return len(self._forms)

    def take(self, scope: Scope, tell: TellReply) -> bool:
        """Whether the request of *scope* may come this way; then *tell* is called, now or later."""
        scope[TAKEN] = False
        if scope["method"] != "GET":
            return False
        repeat = self._repeats.find(scope)
        if repeat is not None:
            self._counts.cached(repeat.question, repeat.ready.scores)
            tell(repeat.ready)
            return True
        question = self.question_of(scope)
        versions = self._context.asking.known_versions(question.wiki) if question else None
        if question is None or versions is None:
            return False
        models = [(model, versions[model]) for model in question.models if model in versions]
        if len(models) < len(question.models):
            return False

        def hear(found: Sequence[Stored] | None) -> None:
            scope[TAKEN] = found is None
            tell(None if found is None else self._ready(scope, question, versions, found))

        self._context.asking.look(question.wiki, question.revisions, models, hear)
        return True

    def _ready(
        self, scope: Scope, question: Question, versions: Mapping[str, str], found: Sequence[Stored]
    ) -> Ready | None:
        try:
            ready = Ready(self._body(question, versions, found), JSON, len(found))
        except ValueError:
            # What is stored can't be read; the long way says so.
            return None
        self._counts.cached(question, len(found))
        if len(found) > FEW_SCORES:
            self._repeats.keep(scope, ready, question)
        return ready

    def question_of(self, scope: Scope) -> Question | None:
        """What is asked for, if it can be answered here."""
        path = scope["path"].split("/", 6)
        if not 4 <= len(path) <= 6 or path[1] != "v3" or path[2] != "scores":
            return None
        wiki, query, model = path[3], scope["query_string"], path[5] if len(path) > 5 else None
        if len(path) == 4:
            return self._read(wiki, query)
        text = path[4]
        if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_REVISION and 0 < int(text) <= MOST):
            return None
        form = self._forms.get((wiki, model, query))
        if form is None:
            form = self._read(wiki, query, revision=text, model=model)
            if form is None:
                return None
            if len(self._forms) >= MOST_FORMS:
                self._forms.clear()
            self._forms[wiki, model, query] = form
        return Question(wiki, form.models, (int(text),), is_precache=form.is_precache)

    def _read(
        self, wiki: str, query: bytes, *, revision: str | None = None, model: str | None = None
    ) -> Question | None:
        try:
            parameters = Parameters(query)
            if parameters.of_query.get("format") != "json" or parameters.of_query.get("callback"):
                return None
            question = read_question(self._context.wikis, parameters, wiki, revision=revision, model=model)
        except Refusal:
            return None
        revisions = question.revisions
        is_plain = revisions and not question.info and not question.with_features
        return question if is_plain and min(revisions) > 0 and max(revisions) <= MOST else None

    def _body(self, question: Question, versions: Mapping[str, str], found: Sequence[Stored]) -> bytes:
        beginning, names = self._beginning(question, versions)
        entries = iter([stored.entry or entry_bytes(stored) for stored in found])
        scores = [
            b'"%d":{%b}' % (revision, b",".join([name + next(entries) for name in names]))
            for revision in question.revisions
        ]
        return b'%b"scores":{%b}}}\n' % (beginning, b",".join(scores))

    def _beginning(self, question: Question, versions: Mapping[str, str]) -> tuple[bytes, list[bytes]]:
        """The reply until its scores, and the names of the models as they stand before each."""
        key = question.wiki, question.models
        known, beginning, names = self._beginnings.get(key, (None, b"", []))
        if known is not versions:
            of_models = to_json({model: {"version": versions[model]} for model in question.models})
            beginning = f'{{{to_json(question.wiki)}:{{"models":{of_models},'.encode()
            names = [f"{to_json(model)}:".encode() for model in question.models]
            if len(self._beginnings) >= MOST_FORMS:
                self._beginnings.clear()
            self._beginnings[key] = versions, beginning, names
        return beginning, names


def entry_bytes(stored: Stored) -> bytes:
    """`{"score": …}` or `{"error": …}`."""
    document = stored.document
    found = _SCORE.fullmatch(document)
    if found is None:
        entry = to_json(shapes.entry_of(read_final(json.loads(document)))).encode()
    else:
        prediction, probability = found.groups()
        if prediction[:1] == b'"' and _BINARY.fullmatch(probability):
            prediction = b"true" if prediction == b'"true"' else b"false"
        entry = b'{"score":{"prediction":%b,"probability":%b}}' % (prediction, probability)
    stored.entry = entry
    return entry
