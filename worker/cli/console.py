"""How every command prints: results on standard output, everything else on standard error, errors as sentences."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from outbox.errors import OutboxError
from outbox.server_errors import told
from worker.bootstrap import Services, build_services
from worker.config.wiki import Wiki
from worker.domain.errors import WorkerError
from worker.settings import load_settings

out = Console()
err = Console(stderr=True)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output, and nothing else there."""
    typer.echo(json.dumps(document, ensure_ascii=False))


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """End with exit code 1 and one sentence for an error that the user or the surroundings caused."""
    try:
        yield
    except (OutboxError, WorkerError) as error:
        fail(str(error))
    except Exception as error:
        if sentence := told(error):
            fail(sentence)
        raise


@contextmanager
def command_services() -> Iterator[Services]:
    """The services of this command, closed when it ends; expected errors end it as sentences."""
    with errors_as_sentences(), closing(build_services(load_settings())) as services:
        yield services


def wikis_named(services: Services, names: Sequence[str] | None) -> list[Wiki]:
    """The wikis of these *names*, each once; all that are configured where none is named.

    Raises:
        WorkerError: the settings have no wiki of that name.
    """
    return [services.wiki(name) for name in dict.fromkeys(names or sorted(services.wikis))]


def progress(*, with_bar: bool = False, is_transient: bool = False) -> Progress:
    """A progress display: the step, how much of it is done, the time taken; a transient one is removed at the end."""
    bar = [BarColumn()] if with_bar else []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), *bar, MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=is_transient)


def warn(sentence: str) -> None:
    err.print(sentence, style="yellow", markup=False, highlight=False, soft_wrap=True)


def warn_if_redis_is_silent(services: Services, consequence: str) -> None:
    """Warn that the workers were not told of the work, if Redis did not answer; *consequence* ends the sentence."""
    if services.doorbell.is_silent:
        warn(f"Redis does not answer at redis_url, so the workers were not told; {consequence}")


def fail(sentence: str, code: int = 1) -> NoReturn:
    err.print(f"[bold red]outpatrol:[/] {escape(sentence)}", highlight=False, soft_wrap=True)
    raise typer.Exit(code)
