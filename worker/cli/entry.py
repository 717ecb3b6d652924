"""Where the command `outpatrol` begins; if packages are missing, a sentence says which extra to install."""

import sys

from worker.domain.errors import not_installed


def main() -> None:
    """Run the command, or say in a sentence which package is missing for it."""
    try:
        from worker.cli.main import run_command  # noqa: PLC0415 - what it imports may be missing
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in {"", "outbox", "worker"}:
            raise
        sys.exit(f"outpatrol: {not_installed(package, 'worker')}")
    run_command()
