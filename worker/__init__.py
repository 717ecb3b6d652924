"""The fulfilment: what a Celery process runs to keep the promises made in `outbox`.

Read `worker.scores.pipeline` first. A room is a subject: `scores` is the first consumer of edits, and asks `endpoints`
through `flight`; `events` announces; `lanes` serves lanes of any kind; `bootstrap` puts the concrete parts together.
"""
