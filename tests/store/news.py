"""What tests of the outbox say: how a provider answers, and what was told."""

from uuid import UUID

from refresher.notify import watch
from refresher.rules.outcomes import Reply
from refresher.store import outbox
from refresher.store.outbox import OutboxEntry
from tests.world import World


def told(world: World, consumer: str = "webhook") -> list[OutboxEntry]:
    """Everything that this consumer has not read yet."""
    with world.services.database.transaction() as db:
        return outbox.take(db, consumer, limit=1_000)


def kinds(world: World) -> list[str]:
    """The kinds of all that was told, in the order of writing."""
    return [row.kind for row in world.rows("select kind from outbox order by id")]


def answer(world: World, reply: Reply) -> None:
    """Has the provider answer everything like this from now on."""
    world.script.answer = lambda _request: reply


def fail_after_expiry(world: World) -> UUID:
    """A connection whose token has expired while its provider fails, and was told of."""
    id_ = world.connect(expires_in=100)
    answer(world, Reply(503, {}, b""))
    for _ in range(4):
        world.pass_time(95)
        world.tick()
    watch.tell(world.services)
    return id_
