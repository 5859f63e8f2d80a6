"""One module a peer: what its workers run, how its jobs are sent, and what it needs installed.

Each has `NEEDS` (modules), `workers()` (commands after `python -m`), `prepare()` and
`send(first, last)`, which returns once the jobs of these rows are in its queue.
"""

NAMES = ("pgqueuer", "procrastinate", "celery", "dramatiq", "dramatiq_async")
