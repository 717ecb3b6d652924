"""How every command speaks: results on standard output, everything else on standard error, errors as sentences."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from outbox.errors import OutboxError
from worker.bootstrap import Services, build_services
from worker.domain.errors import WorkerError
from worker.settings import load_settings

out = Console()
err = Console(stderr=True)


def print_json(document: Any) -> None:
    """One JSON document on standard output, and nothing beside it."""
    typer.echo(json.dumps(document, ensure_ascii=False))


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """End with exit code 1 and one sentence where the reason is the user's or the surroundings'."""
    try:
        yield
    except (OutboxError, WorkerError) as error:
        fail(str(error))


@contextmanager
def command_services() -> Iterator[Services]:
    """The services of this command, closed when it ends; expected errors end it as sentences."""
    with errors_as_sentences(), closing(build_services(load_settings())) as services:
        yield services


def fail(sentence: str, code: int = 1) -> NoReturn:
    err.print(f"[bold red]outpatrol:[/] {escape(sentence)}", highlight=False, soft_wrap=True)
    raise typer.Exit(code)
