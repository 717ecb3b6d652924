"""Pages for people: what this is, versions, a form to score by hand; and the specifications."""

import re
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from worker.web.handling import Handling
from worker.web.openapi import specification
from worker.web.questions import Parameters
from worker.web.replies import HEADERS, reply

STYLE = """\
body { font: 16px/1.5 sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
pre { background: #f1f3f5; padding: 1rem; overflow: auto }
label { display: block; margin: .5rem 0 }
"""
#: Nothing is loaded from elsewhere, and only our script runs.
POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; script-src 'self'; "
    "form-action 'self'; base-uri 'none'"
}
#: Asks what the form says, and shows the reply under it.
SCRIPT = """\
"use strict";
const form = document.querySelector("form"), answer = document.querySelector("pre");
form.addEventListener("submit", async event => {
  event.preventDefault();
  const models = [...form.elements.models.selectedOptions].map(each => each.value);
  const query = new URLSearchParams({ revids: form.elements.revids.value.trim().split(/[\\s,|]+/).join("|") });
  if (models.length) query.set("models", models.join("|"));
  answer.textContent = "…";
  const reply = await fetch("v3/scores/" + encodeURIComponent(form.elements.wiki.value) + "/?" + query);
  answer.textContent = await reply.text();
});
"""


class PageRoutes:
    """`/`, `/ui`, `/versions` and the specifications."""

    def __init__(self, handling: Handling) -> None:
        self._handling = handling
        self._wikis = handling.context.wikis

    def routes(self) -> Sequence[BaseRoute]:
        rows = [
            ("/", self.home),
            ("/ui", self.ui),
            ("/ui.js", self.script),
            ("/versions", self.versions),
            *((f"/v{number}", self.index) for number in (1, 2, 3)),
            *((f"/v{number}/spec", self.spec) for number in (1, 2, 3)),
        ]
        return [Route(path, self._handling.at(handler), methods=["GET"]) for path, handler in rows]

    async def home(self, _request: Request, _parameters: Parameters) -> Response:
        wikis = "".join(f'<li><a href="v3/scores/{escape(wiki)}/">{escape(wiki)}</a></li>' for wiki in self._wikis)
        return _page(
            "Scores of edits",
            "<p>This answers as ORES does, and as Lift Wing. Scores are those of the wikis' own endpoints, shared with"
            " whoever else wants them.</p>"
            '<ul><li><a href="ui">Score by hand</a></li><li><a href="v3/?spec">Specification</a> (OpenAPI)</li>'
            '<li><a href="v3/scores/">Wikis and models</a></li><li><a href="versions/">Versions</a></li></ul>'
            f"<h2>Wikis</h2><ul>{wikis}</ul>",
        )

    async def ui(self, request: Request, parameters: Parameters) -> Response:
        """A form; the script shows the answer below it, and without the script the answer replaces the page."""
        if (revisions := parameters.of_query.get("revids")) is not None:
            chosen = request.query_params.getlist("models")
            asked = {"revids": "|".join(re.split(r"[\s,|]+", revisions.strip()))}
            query = urlencode(asked | ({"models": "|".join(chosen)} if chosen else {}))
            wiki = quote(parameters.of_query.get("wiki", ""), safe="")
            return RedirectResponse(f"/v3/scores/{wiki}/?{query}", 303, HEADERS)
        wikis = "".join(f"<option>{escape(wiki)}</option>" for wiki in self._wikis)
        names = dict.fromkeys(model for models in self._wikis.values() for model in models)
        models = "".join(f"<option>{escape(model)}</option>" for model in names)
        return _page(
            "Score by hand",
            '<form action="ui" method="get">'
            f'<label>Wiki <select name="wiki">{wikis}</select></label>'
            f'<label>Models (none: all) <select name="models" multiple>{models}</select></label>'
            '<label>Revisions <input name="revids" required placeholder="745065890 745065891"></label>'
            '<button>Score</button></form><pre></pre><script src="ui.js"></script>',
        )

    async def script(self, _request: Request, _parameters: Parameters) -> Response:
        return Response(SCRIPT, headers=HEADERS, media_type="text/javascript")

    async def versions(self, _request: Request, _parameters: Parameters) -> Response:
        rows = "".join(f"<li>{name} {escape(version(name))}</li>" for name in ("outpatrol", "starlette", "uvicorn"))
        return _page("Versions", f"<ul>{rows}</ul>")

    async def index(self, request: Request, parameters: Parameters) -> Response:
        """The specification with `?spec`, as in ORES; otherwise a link to it."""
        if "spec" in parameters.of_query:
            return await self.spec(request, parameters)
        number = request.url.path.strip("/")
        return _page(f"ORES {number}", f'<p>See the <a href="/{number}/?spec">specification</a> (OpenAPI).</p>')

    async def spec(self, request: Request, parameters: Parameters) -> Response:
        number = int(request.url.path.removeprefix("/v")[:1])
        return reply(specification(number, self._wikis), parameters)


def _page(title: str, content: str) -> HTMLResponse:
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return HTMLResponse(f"{head}<h1>{title}</h1>{content}</html>", headers=HEADERS | POLICY)
