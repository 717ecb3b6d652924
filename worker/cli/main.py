"""`outpatrol`: the commands, put together."""

from importlib.metadata import version
from typing import Annotated

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
from worker.cli.output import Commands
from worker.config.telemetry import configure_logging

app = typer.Typer(
    name="outpatrol",
    cls=Commands,
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


def _tell_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"outpatrol {version('outpatrol')}")
        raise typer.Exit


@app.callback()
def _before_every_command(
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    # Commands print sentences of their own; the log is for workers.
    configure_logging("CRITICAL")


def run_command() -> None:
    """Read the arguments of this process and do what they ask for."""
    app()
