"""`outpatrol emulate …`: emulated services, for tests, demos and development."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.console import fail, say
from worker.domain.errors import not_installed
from worker.emulators.event_stream.endpoint import EventStreamSettings
from worker.emulators.event_stream.endpoint import serve as serve_event_stream
from worker.emulators.scoring.endpoint import EmulatorSettings
from worker.emulators.scoring.endpoint import serve as serve_scoring
from worker.emulators.wiki.endpoint import EmulatedWikiSettings
from worker.emulators.wiki.endpoint import serve as serve_wiki

app = typer.Typer(help="Run an emulated service.", no_args_is_help=True, rich_markup_mode="markdown")


@app.callback()
def _group() -> None:
    """Run an emulated service."""


@app.command("scoring")
def scoring(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8080,
    latency_ms: Annotated[float, typer.Option(min=0, help="Milliseconds each scoring call takes.")] = 0,
    seed: Annotated[int, typer.Option(help="Another seed gives other probabilities.")] = 0,
    log: Annotated[Path | None, typer.Option(help="Append every call to this NDJSON file.")] = None,
    any_wiki: Annotated[
        bool, typer.Option("--any-wiki", help="Score wikis that the originals do not know, too, with every model.")
    ] = False,
) -> None:
    """Answer ORES v3 and Lift Wing requests with seeded scores; its settings and call log are at /_emulator/.

    Example: `outpatrol emulate scoring --port 8080 --latency-ms 50`
    """
    settings = EmulatorSettings(seed=seed, latency_ms=latency_ms, any_wiki=any_wiki)
    _run(host, port, lambda ready: serve_scoring(host, port, settings, log, ready))


@app.command("eventgate")
def eventgate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8192,
    latency_ms: Annotated[float, typer.Option(min=0, help="Milliseconds each request takes.")] = 0,
    file: Annotated[Path | None, typer.Option(help="Append every event taken to this NDJSON file.")] = None,
) -> None:
    """Take events as EventGate does, each validated by its schema; its settings and the events are at /_emulator/.

    Example: `outpatrol emulate eventgate --port 8192 --file events.ndjson`
    """
    if find_spec("jsonschema") is None:
        fail(not_installed("jsonschema", "emulators"))
    from worker.emulators.eventgate.endpoint import EventGateSettings, serve  # noqa: PLC0415 - needs the extra

    settings = EventGateSettings(latency_ms=latency_ms)
    _run(host, port, lambda ready: serve(host, port, settings, file, ready))


@app.command("stream")
def stream(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8193,
    heartbeat_seconds: Annotated[
        float, typer.Option(min=0.01, help="Seconds between comments while there are no events.")
    ] = 5,
) -> None:
    """Send events over SSE as EventStreams does; post them to /_emulator/events, settings are at /_emulator/settings.

    Example: `outpatrol emulate stream --port 8193`
    """
    settings = EventStreamSettings(heartbeat_seconds=heartbeat_seconds)
    _run(host, port, lambda ready: serve_event_stream(host, port, settings, ready))


@app.command("wiki")
def wiki(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8194,
    latency_ms: Annotated[float, typer.Option(min=0, help="Milliseconds each call takes.")] = 0,
) -> None:
    """Answer calls of MediaWiki's action API and REST API under /w; post pages to /_emulator/pages.

    Example: `outpatrol emulate wiki --port 8194`
    """
    settings = EmulatedWikiSettings(latency_ms=latency_ms)
    _run(host, port, lambda ready: serve_wiki(host, port, settings, ready))


def _run(host: str, port: int, serve: Callable[[Callable[[int], None]], None]) -> None:
    try:
        serve(lambda actual: say(f"listening on http://{host}:{actual}"))
    except OSError as error:
        reason = error.strerror or error
        if error.filename is not None:
            fail(f"can't write {error.filename}: {reason}")
        fail(f"can't listen on {host}:{port}: {reason}; choose another with --port, or 0 for a free one")
