"""The emulated EventGate: validates events by their schemas, keeps what it took, and fails as its settings say."""
