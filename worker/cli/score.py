"""`outpatrol score`: scores on demand, from the workers."""

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from worker.bootstrap import Services
from worker.cli.console import command_services, fail, out, print_json
from worker.cli.options import JsonOption
from worker.cli.tables import table
from worker.domain.errors import CommandFailed
from worker.domain.scores import Answer, NoAnswer, Score, ScoreId
from worker.scores.model_versions import current_models
from worker.tasks.on_demand import request_scores, wait_for_scores


def score(
    wiki: Annotated[str, typer.Argument(help="The wiki's id.")],
    revisions: Annotated[list[int], typer.Argument(min=1, help="Revision ids.", metavar="REVISION…")],
    model: Annotated[list[str] | None, typer.Option("--model", help="Only this model; may be repeated.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the workers' answers.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Ask the workers for scores, sharing calls with whoever asks at the same time; stores and announces nothing.

    Example: `outpatrol score enwiki 745065890 --model damaging`
    """
    with command_services() as services:
        here, ids = services.wiki(wiki), score_ids(services, wiki, revisions, model or [])
        requested = request_scores(services, here, ids)
        answers = services.runner.run(wait_for_scores(services.flights[here.id], requested, wait))
    if as_json:
        print_json({str(score_id): _document(answers[score_id]) for score_id in ids})
    else:
        out.print(_table({score_id: answers[score_id] for score_id in ids}))
    without = sum(not isinstance(answer, Score) for answer in answers.values())
    if without:
        fail(f"{without} of {len(ids)} scores are missing; the output says why")


def score_ids(services: Services, wiki: str, revisions: list[int], models: list[str]) -> list[ScoreId]:
    """The score ids that are asked for, with the current versions of the models.

    Raises:
        CommandFailed: the wiki has no such model, or has not learned its version yet.
    """
    here = services.wiki(wiki)
    known = here.database.run(current_models)
    names = models or list(here.models)
    for name in names:
        if name not in here.models:
            there_are = ", ".join(here.models)
            raise CommandFailed(f"{wiki} has no model {name!r}; there are {there_are}; see wikis.{wiki}.models")
        if name not in known:
            raise CommandFailed(
                f"no edit of {wiki} has a score of {name} yet, so its version is not known; save an edit first"
            )
    return [ScoreId(wiki, name, revision, known[name].version) for revision in revisions for name in names]


def _document(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, NoAnswer):
        return {"error": {"type": "NoAnswer", "message": answer.error}}
    if isinstance(answer, Score):
        return {"score": {"prediction": answer.prediction, "probability": answer.probability}}
    return {"error": {"type": answer.type, "message": answer.message}}


def _table(answers: dict[ScoreId, Answer]) -> Table:
    rows = [(each.revision, each.model, each.version, *_shown(answer)) for each, answer in answers.items()]
    return table(("revision", "model", "version", "prediction", "probability"), rows)


def _shown(answer: Answer) -> tuple[str | Text, str]:
    if not isinstance(answer, Score):
        return Text("none", "red"), answer.error if isinstance(answer, NoAnswer) else answer.message
    prediction = answer.prediction if isinstance(answer.prediction, str) else ", ".join(answer.prediction)
    likely = sorted(answer.probability.items(), key=lambda pair: pair[1], reverse=True)
    return prediction, ", ".join(f"{name} {probability:.3f}" for name, probability in likely[:4])
