"""What RabbitMQ must permit, and how `doctor` tells what it does not; what `top` tells of the queue."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from refresher.insight.doctor import rabbitmq
from refresher.insight.queue import queue_now
from refresher.settings import IntegrationRefresh, load
from tests.rabbitmq.server import RabbitServer

pytestmark = pytest.mark.slow
DOCUMENTED = ("^refresher:", "^(refresher:|amq[.]default$)", "^refresher:")
"""The rule of docs/databases.md: what may be configured, written, read."""


@pytest.fixture
def limited(rabbit: RabbitServer) -> Iterator[Callable[[str, str, str], str]]:
    """Returns what makes a user with a rule, and gives the URL by which it comes in."""
    name = f"limited{uuid4().hex}"

    def make(*rule: str) -> str:
        with suppress(AssertionError):
            rabbit.control("delete_user", name)
        rabbit.control("add_user", name, "p@ss/w:rd")
        rabbit.control("set_permissions", "-p", "/", name, *rule)
        return rabbit.url(user=name, password="p@ss/w:rd")

    yield make
    rabbit.control("delete_user", name)


def test_the_documented_rule_is_enough(limited: Callable[..., str]) -> None:
    """A user who may do no more is told nothing wrong."""
    found = list(rabbitmq.check(load(rabbitmq_url=limited(*DOCUMENTED))))
    assert [(one.check, one.level) for one in found] == [
        ("rabbitmq", "ok"),
        ("rabbitmq writes", "ok"),
    ]
    assert "p%40ss" not in str(found)
    for part in DOCUMENTED:
        assert f"'{part}'" in Path("docs/databases.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("part", range(3))
def test_a_permission_that_is_missing_is_told(limited: Callable[..., str], part: int) -> None:
    """Whichever it is, in one sentence that names the rule."""
    rule = [given if number != part else "^$" for number, given in enumerate(DOCUMENTED)]
    *_, last = rabbitmq.check(load(rabbitmq_url=limited(*rule)))
    assert (last.check, last.level) == ("rabbitmq writes", "fail")
    assert "lacks a permission on queues that begin with refresher:" in last.message
    assert "docs/databases.md" in str(last.mend)


def test_depth_is_told_and_age_is_unknown(rabbit: RabbitServer) -> None:
    """For `top` and the dashboard, also when the server is away."""
    flow = IntegrationRefresh(transport="rabbitmq")
    settings = load(rabbitmq_url=rabbit.url(), integration_refresh=flow)
    seen = queue_now(settings, uuid4())
    assert (seen.transport, seen.depth) == ("rabbitmq", 0)
    assert (seen.oldest_seconds, seen.trouble) == (None, None)
    settings = load(rabbitmq_url="amqp://u:s3cr3t@127.0.0.1:9/", integration_refresh=flow)
    seen = queue_now(settings, uuid4())
    assert (seen.depth, seen.oldest_seconds) == (None, None)
    assert seen.trouble == "rabbitmq cannot be used: nothing answers at its address"
