"""Carries one code in a process of its own, which is killed at a point of the story."""

import asyncio
import os
import signal
import sys
from uuid import UUID

from refresher.connections import arrival
from refresher.rules.connect_steps import SendCode
from refresher.rules.connection import Secret
from refresher.runtime import checkpoints
from refresher.runtime.services import services
from refresher.store import connect, connect_attempts


def _main(session_id: str, attempt_id: str, point: str) -> None:
    with services().database.reading() as db:
        session = connect.find(db, UUID(session_id))
        attempt = connect_attempts.find(db, UUID(attempt_id))
    assert session is not None
    assert attempt is not None
    checkpoints.install(lambda at: os.kill(os.getpid(), signal.SIGKILL) if at == point else None)
    ticket = SendCode(session, attempt, Secret(os.environ["THE_CODE"]), ())
    asyncio.run(arrival.carry(services(), ticket))


if __name__ == "__main__":
    _main(*sys.argv[1:])
