"""How every command prints: results on standard output, everything else on standard error, errors as sentences."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from io import TextIOWrapper
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from outbox.errors import OutboxError
from outbox.server_errors import sentence_of
from worker.bootstrap import Services, build_services
from worker.cli.tables import with_errors
from worker.config.wiki import Wiki
from worker.domain.errors import CommandFailed, WorkerError
from worker.domain.visible import carries_all, visible
from worker.settings import load_settings

out = Console()
err = Console(stderr=True)
#: The exit code of a command that was called wrongly, as with a misspelt option.
USAGE = 2
Found = TypeVar("Found")


def print_json(document: Any) -> None:
    """Print one JSON document on standard output, and nothing else there."""
    print_data(visible(json.dumps(document, ensure_ascii=not carries_all(sys.stdout))) + "\n")


def print_document(document: Any) -> None:
    """Print one JSON document for people: one field on each line, in colours."""
    lines = json.dumps(document, ensure_ascii=False, indent=2).split("\n")
    out.print(JSONHighlighter()("\n".join(map(visible, lines))), soft_wrap=True)


def print_data(text: str) -> None:
    """Print text for programs exactly as it is; in UTF-8 if the output's encoding lacks a character.

    `typer.echo` would remove what looks like a colour.
    """
    if not (text.isascii() or carries_all(sys.stdout)) and isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)
    sys.stdout.flush()


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Turn an error that the user or the environment caused into one sentence and exit code 1."""
    try:
        yield
    except Exception as error:
        if (sentence := _sentence_of(error)) is None:
            raise
        complain(sentence)
        for line in error.log if isinstance(error, CommandFailed) else ():
            say(line)
        raise typer.Exit(1) from error


def _sentence_of(error: Exception) -> str | None:
    return str(error) if isinstance(error, OutboxError | WorkerError) else sentence_of(error)


@contextmanager
def command_services() -> Iterator[Services]:
    """The services of this command, closed when it ends; expected errors end it as sentences."""
    with errors_as_sentences(), closing(build_services(load_settings())) as services:
        yield services


def wikis_named(services: Services, names: Sequence[str] | None) -> list[Wiki]:
    """The wikis of these *names*, each once; all configured ones if none is named.

    Raises:
        WorkerError: the settings have no wiki of that name.
    """
    return [services.wiki(name) for name in dict.fromkeys(names or sorted(services.wikis))]


def on_each(wikis: Iterable[Wiki], look: Callable[[Wiki], Found]) -> tuple[dict[str, Found], dict[str, str]]:
    """What *look* returns for each of *wikis*, by wiki; and a sentence for each wiki for which it failed."""
    found, errors = dict[str, Found](), dict[str, str]()
    for wiki in wikis:
        try:
            found[wiki.id] = look(wiki)
        except Exception as error:
            if (sentence := _sentence_of(error)) is None:
                raise
            errors[wiki.id] = sentence
    return found, errors


def documents_of_errors(errors: Mapping[str, str]) -> dict[str, Any]:
    """What JSON has in place of the missing results, by wiki."""
    return {wiki: {"error": sentence} for wiki, sentence in errors.items()}


def print_table(shown: Table, errors: Mapping[str, str]) -> None:
    """Print the table of *on_each*, and a row below it for each wiki with an error."""
    out.print(with_errors(shown, errors))


def end_with(errors: Mapping[str, str]) -> None:
    """Print the *errors* of `on_each`; raises `typer.Exit` if there are any."""
    for sentence in errors.values():
        complain(sentence)
    if errors:
        raise typer.Exit(1)


def progress(*, with_bar: bool = False, is_transient: bool = False) -> Progress:
    """A progress display: the step, how much of it is done, and the time; a transient one is removed at the end."""
    bar = [BarColumn()] if with_bar else []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), *bar, MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=is_transient)


def say(sentence: str, style: str = "") -> None:
    """Print one line on standard error."""
    err.print(Text(visible(sentence), style), soft_wrap=True)


def warn(sentence: str) -> None:
    """Say *sentence* in yellow: the command goes on."""
    say(sentence, "yellow")


def warn_if_redis_is_silent(services: Services, consequence: str) -> None:
    """Warn that no ring was sent, if Redis did not answer; *consequence* ends the sentence."""
    if services.doorbell.is_silent:
        warn(f"Redis does not answer at redis_url, so the workers were not told; {consequence}")


def fail(sentence: str, code: int = 1) -> NoReturn:
    """Say *sentence* as an error, and end the command with *code*."""
    complain(sentence)
    raise typer.Exit(code)


def complain(sentence: str) -> None:
    """Print one line on standard error that says what went wrong."""
    err.print(Text.assemble(("outpatrol:", "bold red"), " ", visible(sentence)), soft_wrap=True)
