"""`outpatrol listen`: edits from a stream, saved on the configured wikis as they happen."""

import signal
import time
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from outbox import EDITS
from worker.cli.console import command_services, err, fail, print_json
from worker.cli.options import WikiOption
from worker.endpoints.client import user_agent
from worker.incoming.edits import AUTOPATROLLED_GROUPS
from worker.incoming.listening import Listened, Listener
from worker.incoming.positions import LONGEST_SOURCE
from worker.lanes.rings import TURN


def listen(
    url: Annotated[str, typer.Argument(help="Address of the stream, as https://stream.wikimedia.org/v2/stream/…")],
    wiki: WikiOption = None,
    since: Annotated[str | None, typer.Option(help="Where to begin the first time: a moment the stream knows.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many edits.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only edits of this kind: edit, new.")] = None,
    autopatrolled_group: Annotated[
        list[str] | None, typer.Option(help="Who is in this group is autopatrolled, where the stream does not tell.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output at the end.")] = False,
) -> None:
    """Save edits that a stream tells of (recentchange or mediawiki.page_change.v1) and ring for the workers.

    Goes on where it ended the last time, and reconnects until it is interrupted.

    Example: `outpatrol listen https://stream.wikimedia.org/v2/stream/recentchange --wiki frwiki`
    """
    if not _is_address(url):
        fail(f"{url!r} is no address of a stream; write https://stream.wikimedia.org/v2/stream/recentchange")
    if len(url.encode()) > LONGEST_SOURCE:
        fail(f"an address of a stream has at most {LONGEST_SOURCE} bytes; listen to fewer streams at once")
    if unknown := set(kind or ()) - {"edit", "new"}:
        fail(f"{', '.join(sorted(unknown))}: no such kind of edit; there are edit and new")
    listened = Listened()
    with command_services() as services:
        wikis = [services.wiki(name).id for name in wiki or sorted(services.wikis)]
        listener = Listener(
            url,
            {name: services.wikis[name].database for name in wikis},
            listened,
            user_agent=user_agent(services.settings.contact),
            saved=lambda name: services.doorbell.ring(TURN, name, EDITS.name),
            kinds=kind or (),
            autopatrolled_groups=autopatrolled_group or AUTOPATROLLED_GROUPS,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: listener.stop())
        started = time.monotonic()
        with Live(get_renderable=lambda: _table(listened, started), console=err, refresh_per_second=2):
            listener.listen(since=since, limit=limit)
    if as_json:
        print_json(_document(listened))


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _document(listened: Listened) -> dict[str, Any]:
    return {
        "edits": listened.saved.total(),
        "saved": listened.saved,
        "left_out": listened.left_out,
        "connections": listened.connections,
    }


def _table(listened: Listened, started: float) -> Table:
    seconds = max(1e-9, time.monotonic() - started)
    # Copies, since this is drawn while others count.
    saved, left_out = listened.saved.copy(), listened.left_out.copy()
    table = Table(box=None, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    table.add_row(f"{saved.total():,}", f"edits saved, {saved.total() / seconds:.1f} a second")
    for wiki, count in saved.most_common(5):
        table.add_row(f"{count:,}", f"  {wiki}", style="dim")
    table.add_row(f"{left_out.total():,}", "events left out")
    for kind, count in left_out.most_common(5):
        table.add_row(f"{count:,}", f"  {kind}", style="dim")
    table.add_row(f"{listened.connections:,}", "connections")
    if listened.trouble:
        table.add_row("", escape(listened.trouble), style="yellow")
    return table
