"""Goes on with consents that nobody goes on with: the scheduler's job, every ten seconds.

An answer that is held comes to its connection although browser and web process are gone; a code whose
answer never came holds no refresh back any longer; links whose time or right is over end.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

import structlog

from refresher.connections import arrival
from refresher.connections.rights import right_of
from refresher.errors import RefresherError
from refresher.rules.connect_steps import overtaken
from refresher.runtime.services import Services
from refresher.store import connect, connect_attempts, connect_guard, connect_steps
from refresher.store.session import retrying

log = structlog.get_logger()
LOOK_SECONDS = 10.0
AT_ONCE = 4
"""How many held answers are gone on with at a time: each may ask a provider something."""


def look(services: Services) -> None:
    """Does all that is due."""
    with services.database.transaction() as db:
        stranded = connect_guard.release_stranded(db)
        overdue = connect_steps.overdue(db)
        held = connect_steps.due_for_advance(db)
    if stranded:
        log.info("refreshes go on after a consent", rows=stranded)
    for session_id in overdue:
        retrying(partial(overtake, services, session_id))
    if held:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="consent") as pool:
            list(pool.map(lambda session_id: _advance(services, session_id), held))


def overtake(services: Services, session_id: UUID) -> bool:
    """Ends a session, or has the person begin again, where it does not go on by itself."""
    with services.database.transaction() as db:
        session = connect.locked(db, session_id)
        if session is None:
            return False
        stands = connect.standing(db, session)
        found = overtaken(session, right_of(services, session, stands), stands.now)
        if found is None:
            return False
        trouble, outcome = found
        if outcome is None:
            return connect_steps.reopen(db, session_id, trouble)
        return connect_steps.end(db, session_id, outcome, trouble)


def _advance(services: Services, session_id: UUID) -> None:
    if services.stopping.is_set():
        return
    try:
        arrival.advance(services, session_id)
    except RefresherError as error:
        log.warning("a consent waits", session_id=str(session_id), why=str(error))


def forget_old(services: Services) -> None:
    """Deletes sessions that ended thirty days ago, and attempts that ended a day ago."""
    with services.database.transaction() as db:
        connect_attempts.forget_old(db)
        connect_steps.forget_old(db)
