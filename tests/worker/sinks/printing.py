"""A process that prints events: the first argument names them, the second says how many. Light to import."""

import json
import sys

from tests.patience import PATIENCE_SECONDS
from worker.events.sinks import OutgoingEvent
from worker.events.stdout_sink import StdoutSink


def main() -> None:
    """Print the events, two at a time; on standard error goes what the sink said of each pair that it did not take."""
    name, count = sys.argv[1], int(sys.argv[2])
    sink = StdoutSink(timeout_seconds=PATIENCE_SECONDS)
    for number in range(0, count, 2):
        # Larger than what a pipe takes in one piece.
        bodies = [json.dumps({"id": f"{name}-{each}", "padding": name * 5000}) for each in (number, number + 1)]
        failures = sink.send(
            [OutgoingEvent(stream="s", id="", body=body, wiki="enwiki", page=1, revision=1) for body in bodies]
        )
        if failures:
            said = {place: [type(failure).__name__, failure.reason] for place, failure in failures.items()}
            sys.stderr.write(json.dumps(said) + "\n")
    sink.close()


if __name__ == "__main__":
    main()
