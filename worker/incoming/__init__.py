"""Edits from elsewhere: streams that are listened to, and recorded events that are replayed."""
