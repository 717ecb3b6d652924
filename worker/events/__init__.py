"""Announcing: what an event looks like, how it is built from an edit and its answers, and where it goes."""
