"""Tests of a wiki's own tables."""
