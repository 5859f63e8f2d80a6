"""Checks RabbitMQ, where a transport is rabbitmq: reachable, ours to use, and taking messages.

It is a hint, as Redis is: whatever is wrong here costs time, never a token. What we ask of it is tried
on a queue of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

from refresher.errors import RedisUnavailable, SettingsError
from refresher.insight.doctor import Finding, fail, ok
from refresher.rules.masking import masked_url
from refresher.settings import Settings

RULE = 'see docs/databases.md, "RabbitMQ", which has the whole rule'


def check(settings: Settings) -> Iterator[Finding]:
    """Yields findings on RabbitMQ."""
    try:
        url = settings.rabbitmq
        from refresher.runtime.rabbitmq import RabbitBroker  # noqa: PLC0415  pika may be missing
    except SettingsError as error:
        yield fail("rabbitmq", str(error), "set RABBITMQ_URL, or another transport")
        return
    except ImportError:
        yield fail("rabbitmq", "pika is missing", '`pip install "refresher[rabbitmq]"`')
        return
    with closing(RabbitBroker(url, [])) as broker:
        try:
            broker.ask()
        except RedisUnavailable as error:
            message = f"{masked_url(url)}: {error}"
            yield fail("rabbitmq", message, f"start RabbitMQ, or put RABBITMQ_URL right; {RULE}")
            return
        yield ok("rabbitmq", f"{masked_url(url)} answers")
        try:
            broker.try_out(f"doctor:{uuid4().hex}")
        except RedisUnavailable as error:
            yield fail("rabbitmq writes", str(error), f"allow that; {RULE}")
            return
        yield ok("rabbitmq writes", "a queue was made, a message was sent, and taken out again")
