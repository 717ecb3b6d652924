"""`outpatrol`: the commands, put together."""

import typer

from worker.cli import (
    dead_letters,
    demo,
    emulate,
    listen,
    migrate,
    models,
    recentchanges,
    replay,
    score,
    scores,
    status,
    streams,
    thresholds,
    web,
    worker,
)
from worker.config.telemetry import configure_logging

app = typer.Typer(
    name="outpatrol",
    help="Scores and announces every wiki edit; stores only what patrollers must look at.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)
app.command("demo")(demo.demo)
app.command("listen")(listen.listen)
app.command("migrate")(migrate.migrate)
app.command("recentchanges")(recentchanges.recentchanges)
app.command("reconcile")(streams.reconcile)
app.command("replay")(replay.replay)
app.command("score")(score.score)
app.command("status")(status.status)
app.command("streams")(streams.streams)
app.command("thresholds")(thresholds.thresholds)
app.command("web")(web.web)
app.command("worker")(worker.worker)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(emulate.app, name="emulate")
app.add_typer(models.app, name="models")
app.add_typer(scores.app, name="scores")


@app.callback()
def _before_every_command() -> None:
    # Commands speak in sentences of their own; what workers log belongs to workers.
    configure_logging("CRITICAL")


def main() -> None:
    app()
