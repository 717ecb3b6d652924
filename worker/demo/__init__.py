"""Recorded edits on one machine: what `outpatrol demo` starts, and what it counts at the end."""
