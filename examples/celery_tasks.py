"""Celery: a task that needs a token; tried again when waiting helps, ended where only a person can.

    celery --workdir examples --app celery_tasks worker

Any number of tasks for one account cause one refresh: the connection's own row sees to it, whichever
process or machine they run on.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import httpx
from celery import Celery, Task

from refresher.client import Refresher, TokenUnavailable

PROFILE_URL = os.environ.get("PROFILE_URL", "https://www.googleapis.com/oauth2/v3/userinfo")
REDIS_URL = os.environ.get("CELERY_REDIS_URL", "redis://localhost")
app = Celery("examples", broker=REDIS_URL, backend=REDIS_URL)
app.conf.task_acks_late = True  # a worker that is killed in the middle loses no task
app.conf.broker_connection_retry_on_startup = True


@cache
def refresher() -> Refresher:
    """Opened by the first task of each worker process, so after the fork, and kept."""
    return Refresher()


@app.task(bind=True, max_retries=10)
def fetch_profile(self: Task, connection_id: str) -> dict[str, Any]:
    """Returns what the provider knows of an account, or why a person must connect it again."""
    try:
        answer = httpx.get(PROFILE_URL, auth=refresher().auth(connection_id))
    except TokenUnavailable as error:
        if error.retry_after_seconds is None:
            return {"must_reconnect": error.code}
        raise self.retry(exc=error, countdown=error.retry_after_seconds) from error
    answer.raise_for_status()
    return dict(answer.json())
