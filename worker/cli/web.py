"""`outpatrol web`: the front door, ORES' API and Lift Wing's in front of the workers."""

import os
from importlib.util import find_spec
from typing import Annotated

import typer

from worker.bootstrap import build_door
from worker.cli.console import err, errors_as_sentences, fail
from worker.config.telemetry import configure_logging
from worker.domain.errors import not_installed
from worker.settings import load_settings


def web(
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default that of the settings.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; by default that of the settings.")
    ] = None,
) -> None:
    """Answer as ORES does: cached scores from Redis, all others from the workers, which share each call with edits.

    Example: `outpatrol web --port 8090`
    """
    for package in ("starlette", "uvicorn"):
        if find_spec(package) is None:
            fail(not_installed(package, "web"))
    from worker.web.asking import context_of  # noqa: PLC0415
    from worker.web.serving import serve  # noqa: PLC0415 - needs the extra

    with errors_as_sentences():
        settings = load_settings()
    configure_logging(settings.log_level)
    here, door = host or settings.web.host, build_door(settings)
    taken = settings.web.port if port is None else port

    def ready(actual: int) -> None:
        err.print(f"listening on http://{here}:{actual}", highlight=False)

    try:
        serve(context_of(settings, door), door.close, host=here, port=taken, ready=ready)
    except OSError as error:
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror or error
        fail(f"can't listen on {here}:{taken}: {reason}; choose another with --port, or 0 for a free one")
