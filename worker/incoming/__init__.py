"""Edits as others tell of them: read from events, and listened for."""
