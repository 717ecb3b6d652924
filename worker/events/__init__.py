"""Announcing edits: formats of events, building them from an edit and its answers, sinks, and the ledger."""
