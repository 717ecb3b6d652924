"""`python -m worker.cli`, for processes that are started with this interpreter."""

from worker.cli.entry import main

main()
