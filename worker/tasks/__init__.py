"""The Celery tasks. Thin: each hands over in a line or two."""
