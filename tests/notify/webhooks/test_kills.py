"""kill -9 between send and mark: nothing is lost, and what comes twice is the same message."""

from pathlib import Path

import pytest

from refresher.runtime.cipher import new_key
from refresher.testing.triggers import Triggers
from tests.notify.webhooks import kit
from tests.notify.webhooks.receiver import Receiver
from tests.processes import Process, Spawner
from tests.waiting import wait_until
from tests.world import World

KILLS = 3
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.acceptance
@pytest.mark.slow
def test_a_process_killed_between_send_and_mark_loses_nothing(
    database_url: str, receiver: Receiver, spawn: Spawner, tmp_path: Path
) -> None:
    """Three times killed when the receiver has it and nobody has noted that: sent again, same id."""
    # Given a scheduler that runs its own actors, and events of three connections
    key, triggers = new_key(), Triggers(tmp_path / "triggers")
    world = World(database_url, encryption_keys=key)
    world.services.database.simulated_now = None
    kit.add(world, receiver.url)
    connections = [world.connect(f"c{n}") for n in range(3)]
    happened: list[str] = []

    def start() -> Process:
        return spawn("-m", "tests.chaos.scheduler", env=environment(database_url, key, tmp_path))

    process = start()
    # When it is killed again and again, each time with answers in its hands
    for _ in range(KILLS):
        triggers.arm("webhook_answered")
        happened += [str(kit.happen(world, c)) for c in connections for _ in range(2)]
        wait_until(lambda: triggers.taken("webhook_answered"), 40, spawn.outputs)
        process.kill()
        triggers.let_go("webhook_answered")
        process = start()
    # Then everything arrives, each connection's events in their order; some twice, with their ids
    wait_until(lambda: kit.states(world) == {3: len(happened)}, 40, spawn.outputs)
    world.close()
    assert set(receiver.ids) == set(happened)
    assert len(receiver.ids) > len(happened)
    for connection in connections:
        came = [r.id for r in receiver.received if r.data["connection_id"] == str(connection)]
        wanted = [i for i in happened if i in came]
        assert list(dict.fromkeys(came)) == wanted


def environment(database_url: str, key: str, folder: Path) -> dict[str, str]:
    """Returns the environment of a scheduler that listens to triggers."""
    return {
        "DATABASE_URL": database_url,
        "REFRESHER_ENCRYPTION_KEYS": key,
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
        "REFRESHER_WEBHOOK_DELIVERY__TRANSPORT": "in_process",
        "CHAOS_TRIGGERS": str(folder / "triggers"),
        "PYTHONPATH": str(ROOT),
        "PORT": "0",
    }
