"""Tests of the emulated services."""
