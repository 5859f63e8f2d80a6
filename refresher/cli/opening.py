"""Opens what a command needs and closes it again: settings, a database, or all services.

A command asks for no more than it uses: looking needs neither keys nor Redis.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from refresher.connections.lifecycle import whoever
from refresher.rules.access import Actor
from refresher.runtime.log import configure
from refresher.runtime.services import Services, build, database_from
from refresher.settings import Settings, load
from refresher.store import installation
from refresher.store.migrate import check
from refresher.store.session import Database


def actor() -> Actor:
    """Returns who acts, as the audit names them: `cli:ann`."""
    return whoever("cli")


def read_settings() -> Settings:
    """Returns the settings of the environment."""
    return load()


@contextmanager
def database(settings: Settings | None = None) -> Iterator[Database]:
    """Opens the configured database. Tables that are missing are told by the first statement.

    A command keeps no session, so that it works, and leaves nothing behind, whatever pooler is there.
    """
    opened = database_from(settings or read_settings(), sessions_are_ours=False)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def services() -> Iterator[Services]:
    """Opens everything but Redis, on a database that is checked to be migrated.

    Only errors are logged, unless REFRESHER_LOG_LEVEL says otherwise: the command tells the rest.
    """
    settings = read_settings()
    quiet = {} if "log_level" in settings.model_fields_set else {"log_level": "error"}
    configure(settings.model_copy(update=quiet))
    opened = build(settings)
    try:
        with opened.database.transaction() as db:
            check(db)
            opened.spool.named(installation.name(db))
        opened.restored.watch()
        yield opened
    finally:
        opened.close()
