"""The fulfilment: what a Celery process runs to keep the promises made in `outbox`.

Read `worker.pipeline` first. It claims edits, plans which models score them, asks for the scores through `scoring`,
writes rows through `classification`, and hands events to `events`; `bootstrap` puts the concrete parts together.
"""
