"""Kills a real worker between sending a mail and marking it, again and again, and counts what came.

`python -m tests.notify.mail.kills [TIMES]` does it fifty times; `make test` three times.
"""

import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from refresher.runtime.checkpoints import Point
from refresher.testing.triggers import Triggers
from tests.guard import Guard
from tests.notify.mail.kit import Inbox, add, break_connections, smtp_server
from tests.ports import LOOPBACK
from tests.processes import Spawner
from tests.services import migrate, start_postgres
from tests.world import World


@dataclass(frozen=True)
class Count:
    """What came of the kills: told is how many notices there were."""

    told: int
    lost: int
    twice: int
    other_ids: int


def kill_between_send_and_mark(
    world: World, inbox: Inbox, spawn: Spawner, folder: Path, *, times: int
) -> Count:
    """Breaks one connection each time, and kills the worker that has just sent its mail."""
    triggers, point = Triggers(folder / "triggers"), "mailed"
    now = world.services.database.simulated_now
    assert now is not None
    add(world, "ann@acme.example")
    for n in range(times):
        break_connections(world, f"c{n}")
        killed = _run(world, inbox, spawn, folder, triggers, point)  # type: ignore[arg-type]
        assert killed == -9, spawn.outputs()
        world.pass_time(world.services.settings.mail_lease_seconds + 1)
        assert _run(world, inbox, spawn, folder, triggers, None) == 0, spawn.outputs()
        world.pass_time(world.services.settings.digest_interval_seconds + 1)
    subjects = Counter(inbox.subjects)
    rows = world.rows("select payload->>'external_id' as external_id from outbox")
    told = {row.external_id for row in rows}
    pairs: set[tuple[str, str]] = set(zip(inbox.subjects, inbox.ids, strict=True))
    ids_of_subject = Counter(subject for subject, _ in pairs)
    return Count(
        told=len(told),
        lost=sum(f"Reconnect Acme: {name}" not in subjects for name in told),
        twice=sum(count > 1 for count in subjects.values()),
        other_ids=sum(ids > 1 for ids in ids_of_subject.values()),
    )


def _run(
    world: World, inbox: Inbox, spawn: Spawner, folder: Path, triggers: Triggers, at: Point | None
) -> int:
    if at is not None:
        triggers.arm(at)
    key = world.services.settings.encryption_keys[0].get_secret_value()
    now = world.services.database.simulated_now
    assert now is not None
    env = {
        "DATABASE_URL": world.services.database.url,
        "REFRESHER_ENCRYPTION_KEYS": key,
        "REFRESHER_MAIL_TRANSPORT": "smtp",
        "REFRESHER_MAIL_SMTP_URL": f"smtp://{LOOPBACK}:{inbox.port}?starttls=never",
        "REFRESHER_MAIL_FROM": "no-reply@acme.example",
        "REFRESHER_MAIL_SPACING_SECONDS": "0",
        "TRIGGERS": str(folder / "triggers"),
        "NOW": now.isoformat(),
    }
    code = spawn("-m", "tests.notify.mail.worker", env=env).wait()
    triggers.let_go("mailed")
    return code


def main(times: int) -> int:
    """Does it on a Postgres of its own; returns 1 when anything was lost."""
    guard = Guard()
    server = start_postgres(guard)
    url = server.create_database("kills")
    migrate(url)
    world = World(url, mail_spacing_seconds=0)
    with tempfile.TemporaryDirectory() as name, smtp_server(Inbox()) as inbox:
        spawn = Spawner(guard, Path(name))
        count = kill_between_send_and_mark(world, inbox, spawn, Path(name), times=times)
        spawn.close()
    world.close()
    server.close()
    guard.close()
    sys.stdout.write(f"{times} kills: {count}\n")
    return 1 if count.lost or count.other_ids or count.told != times else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50))
