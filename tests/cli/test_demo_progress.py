"""How often the demo counts what waits."""

from worker.cli.demo import every


def test_what_waits_is_counted_at_most_once_in_a_while() -> None:
    times = iter([0.0, 0.1, 0.4, 0.5, 0.5, 0.6, 0.9, 1.2, 1.2, 1.3])
    is_due = every(0.5, lambda: next(times))

    # A look that says yes reads the clock once more.
    assert [is_due() for _ in range(7)] == [False, False, True, False, False, True, False]
