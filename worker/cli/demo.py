"""`outpatrol demo`: what Outpatrol does, on real edits, from the first save to the summary."""

import dataclasses
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from outbox.edits import Edit
from outbox.inspection import inspect_lane
from outbox.mediawiki.schema import moment_of
from outbox.page_changes import Promised
from worker.bootstrap import LANES, Services
from worker.cli.changes import changes_table
from worker.cli.console import errors_as_sentences, fail, out, print_json, progress
from worker.cli.options import JsonOption, WikiOption
from worker.cli.replay import replay_file
from worker.cli.tables import summary
from worker.demo.counts import REASONS, RunCounts, count, json_lines
from worker.demo.patrollers import Patrollers
from worker.demo.processes import Processes
from worker.demo.surroundings import SAMPLE, Surroundings, start, wikis_of
from worker.domain.errors import CommandFailed
from worker.domain.thresholds import DAMAGING
from worker.domain.visible import visible
from worker.incoming.replaying import ReplayReport
from worker.scores.filtering import Filters, filters_of
from worker.scores.filters import Change
from worker.settings import FILE_VARIABLE

#: Counting what waits in all lanes takes as long as saving some edits, so the bar moves twice a second while they are
#: saved.
COUNTED_SECONDS = 0.5
#: After this long without progress the demo gives up and says where the logs are.
STUCK_SECONDS = 90
FILTER_ROWS = 10


def demo(
    file: Annotated[
        Path, typer.Argument(help="NDJSON file of recentchange events.", show_default="the sample")
    ] = SAMPLE,
    wiki: WikiOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many edits.")] = None,
    keep: Annotated[
        Path | None, typer.Option(help="An empty directory, in which databases, events and logs are kept.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what Outpatrol does: save real edits, score them, announce them, and list what patrollers should see.

    Starts a private Redis, an emulated scoring endpoint, two worker processes, a beat and the front door of ORES; stops
    them at the end.

    Example: `outpatrol demo --wiki frwiki --limit 1000 --keep demo-run`
    """
    # Services are closed after the worker has ended: whoever closes a SQLite file last removes its helper files.
    with errors_as_sentences(), ExitStack() as opened:
        domains, edits = wikis_of(file, wiki or [], limit)
        directory = _directory(keep)
        with Processes(directory) as processes:
            surroundings = start(opened, processes, directory, domains)
            services = surroundings.services
            started = time.monotonic()
            report, patrollers = _run(services, processes, surroundings, file, limit, edits)
            seconds = time.monotonic() - started
            counts = _final_counts(services, surroundings, patrollers)
            changes = _changes(services)
        if as_json:
            print_json(
                dataclasses.asdict(counts)
                | {"seconds": round(seconds, 2), "edits_per_second": round(counts.edits / seconds, 1)}
                | {"lines_left_out": dict(report.left_out), "data_directory": str(directory)}
            )
        else:
            _show(counts, seconds, report, changes, directory)
        if not counts.edits == counts.events == counts.distinct_event_ids:
            fail(f"{counts.edits} edits but {counts.events} events; the logs are in {directory}")


def _directory(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="outpatrol-demo-"))
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise CommandFailed(f"{keep} is not empty; name a new directory with --keep, or empty this one")
    except OSError as error:
        raise CommandFailed(f"{keep} can't be used: {error.strerror}; name another directory with --keep") from error
    return keep.resolve()


def _run(
    services: Services, processes: Processes, surroundings: Surroundings, file: Path, limit: int | None, edits: int
) -> tuple[ReplayReport, Patrollers]:
    """Replay the edits and wait until every message is settled, with a progress bar for both."""
    report, patrollers, progress_is_due = ReplayReport(), Patrollers(services), every(COUNTED_SECONDS)
    with progress(with_bar=True) as shown:
        saving = shown.add_task("edits saved", total=edits)
        announcing = shown.add_task("scored and announced", total=edits)

        def saved(edit: Promised) -> None:
            if isinstance(edit, Edit):
                if not patrollers.seen and surroundings.web_url is not None:
                    address = f"{surroundings.web_url}/v3/scores/{edit.wiki}/{edit.revision}/damaging"
                    shown.console.print(f"Meanwhile anybody can ask for a score, as of ORES: {address}", soft_wrap=True)
                patrollers.look_at(edit)
            shown.advance(saving)
            if progress_is_due():
                shown.update(announcing, completed=report.edits - _pending(services))

        replay_file(services, str(file), services.wikis.values(), report, limit=limit, saved=saved)
        last, since = -1, time.monotonic()
        while pending := _pending(services):
            shown.update(announcing, completed=report.edits - pending)
            _check_alive(processes, directory=surroundings.directory)
            if pending != last:
                last, since = pending, time.monotonic()
            if time.monotonic() - since > STUCK_SECONDS:
                raise CommandFailed(
                    f"{pending} messages are not being settled; the logs are in {surroundings.directory}"
                )
            time.sleep(0.1)
        shown.update(announcing, completed=report.edits)
    return report, patrollers


def every(seconds: float, clock: Callable[[], float] = time.monotonic) -> Callable[[], bool]:
    """A function that says, at most once in so many *seconds*, that it is time."""
    due = clock() + seconds

    def is_due() -> bool:
        nonlocal due
        if clock() < due:
            return False
        due = clock() + seconds
        return True

    return is_due


def _pending(services: Services) -> int:
    pending = 0
    for wiki in services.wikis.values():
        with wiki.database.reading() as connection:
            pending += sum(inspect_lane(connection, lane).pending for lane in LANES)
    return pending


def _check_alive(processes: Processes, directory: Path) -> None:
    for child in processes.children:
        if child.process.poll() is not None:
            raise CommandFailed(f"the {child.name} ended; its log in {directory} ends:", child.end_of_log())


def _final_counts(services: Services, surroundings: Surroundings, patrollers: Patrollers) -> RunCounts:
    """Count once the worker has answered all patrollers; some requests may still be queued behind turns."""
    log = surroundings.worker.log
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        answered = sum(line.get("event") == "score_answered" for line in json_lines(log))
        if answered >= patrollers.asked:
            break
        time.sleep(0.1)
    return count(services, surroundings.events, surroundings.scoring_url, log)


def _changes(services: Services) -> list[tuple[Filters, Change]]:
    """The newest changes of the filter "likely bad, unpatrolled" over all wikis."""
    found = []
    for wiki in services.wikis.values():
        filters = filters_of(wiki)
        query = filters.query(since="", levels={DAMAGING: ["likelybad"]}, unpatrolled=True, limit=FILTER_ROWS)
        found += [(filters, change) for change in filters.find(query)]
    return sorted(found, key=lambda pair: pair[1].timestamp, reverse=True)[:FILTER_ROWS]


def _show(
    counts: RunCounts, seconds: float, report: ReplayReport, changes: list[tuple[Filters, Change]], directory: Path
) -> None:
    rows: list[tuple[int | str, str]] = [
        (counts.edits, f"edits saved on {len(report.saved)} wikis, each with its promise in one transaction"),
        (counts.events, f"events announced, {counts.distinct_event_ids:,} distinct: one for every edit"),
        (counts.edits_stored, f"edits stored for patrollers, as {counts.classification_rows:,} rows"),
        (counts.edits_not_stored, "edits scored and announced, but not stored:"),
        *((edits, f"  {REASONS[reason]}") for reason, edits in sorted(counts.not_stored_because.items())),
        (counts.scoring_calls, f"scoring calls for {counts.scores:,} scores"),
        (counts.scores_shared, "more scores were asked for and cost no call: others had asked for them already"),
        (counts.dead_letters, "edits or events given up"),
    ]
    if report.left_out:
        rows.append((report.left_out.total(), "lines of the file left out"))
    rows.append((f"{seconds:.1f} s", f"from the first save to the last event: {counts.edits / seconds:,.0f} edits/s"))
    out.print()
    out.print(summary(rows, title="What happened"))
    out.print()
    # The sample was recorded years ago, so ages are counted back from its newest change, not from today.
    now = max((moment_of(change.timestamp) for _, change in changes), default=datetime.now(UTC))
    title = "RecentChanges: likely bad, unpatrolled"
    out.print(changes_table(changes, now, width=out.width, title=title, with_wiki=True))
    out.print()
    out.print(Text.assemble(("Left for you to look at", "bold"), f" in {visible(str(directory))}"), soft_wrap=True)
    for name, what in (
        ("*.db", "the wikis' databases (SQLite)"),
        ("events/", "the events (NDJSON)"),
        ("worker.log", "what the worker did (JSON lines)"),
        ("scoring-calls.ndjson", "every call of the scoring endpoint"),
    ):
        out.print(f"  {name:<22} {what}", highlight=False)
    if changes:
        out.print()
        out.print(Text.assemble(("Look again", "bold"), " with"))
        out.print(Text(f"  {visible(_looking_again(*changes[0], directory))}"), soft_wrap=True)


def _looking_again(filters: Filters, change: Change, directory: Path) -> str:
    """A command for the shell that shows the changes of one wiki again, however old they are."""
    program = Path(sys.argv[0])
    called = [sys.executable, "-m", "worker.cli"] if program.suffix == ".py" else [str(program)]
    if shutil.which(program.name) == str(program):
        called = [program.name]
    day = moment_of(change.timestamp).date()
    words = [*called, "recentchanges", "--wiki", filters.wiki.id, "--since", str(day), "--damaging", "likelybad"]
    return f"{FILE_VARIABLE}={shlex.quote(str(directory / 'outpatrol.toml'))} {shlex.join(words)}"
