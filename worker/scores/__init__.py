"""Scoring, the first consumer of edits: which scores are asked for, what becomes of them, and the rows of readers."""
