"""Scoring edits, the first consumer of them: what is asked for, what becomes of it, and the rows that readers see."""
