"""Sections of the settings, what is known of Wikimedia's wikis, a wiki as it is configured, and logging."""
