"""The emulated EventStreams: sends posted events over SSE, and interrupts the stream as its settings say."""
