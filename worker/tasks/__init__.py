"""The Celery tasks. Thin: each calls what does the work."""
