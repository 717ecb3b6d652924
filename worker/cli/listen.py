"""`outpatrol listen`: edits from a stream, saved on the configured wikis as they happen."""

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from outbox import EDITS
from outbox.database import Database
from worker.cli.autopatrolled import shown_groups
from worker.cli.console import USAGE, command_services, err, fail, print_json, wikis_named
from worker.cli.options import AutopatrolledGroupOption, WikiOption
from worker.cli.tables import from_elsewhere, summary
from worker.endpoints.http_requests import user_agent
from worker.incoming.listened import Listened
from worker.incoming.listening import Listener
from worker.incoming.positions import LONGEST_SOURCE
from worker.incoming.side_by_side import SideBySide
from worker.incoming.streams import refusal, unread_streams

AN_ADDRESS = "https://stream.wikimedia.org/v2/stream/recentchange"


def listen(
    url: Annotated[str, typer.Argument(help="Address of the stream, such as https://stream.wikimedia.org/v2/stream/…")],
    wiki: WikiOption = None,
    since: Annotated[
        str | None, typer.Option(help="Where to begin the first time, such as 2026-11-01T12:00:00Z.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many edits.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only edits of this kind: edit, new.")] = None,
    autopatrolled_group: AutopatrolledGroupOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Save the edits of a stream (recentchange or mediawiki.page_change.v1) and tell the workers.

    A wiki that is not emulated is not written to: its edits are promised, scored and announced. If the stream
    does not say who is autopatrolled, the user's groups decide: see autopatrolled_groups of the wiki's settings.

    Continues where it stopped the last time, and reconnects until it is interrupted.

    Example: `outpatrol listen https://stream.wikimedia.org/v2/stream/recentchange --wiki frwiki`
    """
    _check_address(url)
    if unknown := set(kind or ()) - {"edit", "new"}:
        fail(f"{', '.join(sorted(unknown))}: no such kind of edit; there are edit and new", USAGE)
    with command_services() as services:
        wikis = wikis_named(services, wiki)
        databases = {each.id: each.database for each in wikis}
        groups_of = shown_groups(wikis, autopatrolled_group)

        def make(some: Mapping[str, Database], listened: Listened, others: frozenset[str]) -> Listener:
            return Listener(
                url,
                some,
                listened,
                user_agent=user_agent(services.settings.contact),
                saved=lambda name: services.doorbell.turn(name, EDITS.name),
                kinds=kind or (),
                groups_of=groups_of,
                route=services.settings.routes.to(url),
                others=others,
                counts_strangers=wikis[0].id in some,
            )

        listeners = SideBySide(databases, make, limit=limit)
        started = time.monotonic()
        shown = Live(get_renderable=lambda: _table(listeners.listened, started), console=err, refresh_per_second=2)
        with _stopped_by_signals(listeners), shown:
            listeners.listen(since=since)
    if as_json:
        print_json(_document(listeners.listened))


def _check_address(url: str) -> None:
    if not _is_address(url):
        fail(f"{url!r} is not the address of a stream; write {AN_ADDRESS}", USAGE)
    if len(url.encode()) > LONGEST_SOURCE:
        fail(f"the address of a stream has at most {LONGEST_SOURCE} bytes; listen to fewer streams at once", USAGE)
    if unread := unread_streams(url):
        fail(refusal(unread), USAGE)


@contextmanager
def _stopped_by_signals(listeners: SideBySide) -> Iterator[None]:
    before = {each: signal.signal(each, lambda *_: listeners.stop()) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _document(listened: Listened) -> dict[str, Any]:
    return {
        "edits": listened.edits,
        "saved": listened.saved,
        "promised": listened.promised,
        "page_changes": listened.page_changes,
        "left_out": listened.left_out,
        "connections": listened.connections,
    }


def _table(listened: Listened, started: float) -> Table:
    seconds = max(1e-9, time.monotonic() - started)
    saved, promised, left_out = listened.saved, listened.promised, listened.left_out
    rows: list[tuple[int | str, str | Text]] = [
        (saved.total(), f"edits saved, {saved.total() / seconds:.1f} a second"),
        *((count, f"  {wiki}") for wiki, count in saved.most_common(5)),
    ]
    if promised:
        rows.append((promised.total(), f"edits promised, not saved, on {', '.join(sorted(promised))}: not emulated"))
    if changes := listened.page_changes.total():
        rows.append((changes, "changes of pages that are no edits promised (delete, move …)"))
    rows += [
        (left_out.total(), "events left out"),
        *((count, f"  {kind}") for kind, count in left_out.most_common(5)),
        (listened.connections, "connections"),
    ]
    if listened.trouble:
        rows.append(("", from_elsewhere(listened.trouble, "yellow")))
    return summary(rows)
