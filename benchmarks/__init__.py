"""Measures how fast edits are drained, and in how much memory, beside a worker that takes one task an edit.

Called by `make bench`; see README.md. Nothing in the product imports it.
"""
