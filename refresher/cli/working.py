"""All services for one command, and refresh on demand: what looks at things alone needs neither."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from refresher.cli.session import signals_held
from refresher.refresh.on_demand import OnDemand
from refresher.runtime import log
from refresher.runtime.services import Services, build
from refresher.settings import Settings, load
from refresher.store import installation
from refresher.store.migrate import check


@contextmanager
def services(settings: Settings | None = None) -> Iterator[Services]:
    """Opens everything but Redis, on a database that is checked to be migrated.

    Only errors are logged, unless REFRESHER_LOG_LEVEL says otherwise: the command tells the rest.
    """
    settings = settings or load()
    quiet = {} if "log_level" in settings.model_fields_set else {"log_level": "error"}
    log.configure(settings.model_copy(update=quiet))
    opened = build(settings)
    try:
        with opened.database.transaction() as db:
            check(db)
            opened.spool.named(installation.name(db))
        opened.restored.watch()
        yield opened
    finally:
        opened.close()


@contextmanager
def on_demand_held(services: Services) -> Iterator[OnDemand]:
    """Opens refresh on demand for one command: a signal waits for our own refresh alone."""
    on_demand = OnDemand(services, role="command")

    def hurry() -> None:
        services.stopping.set()
        if not on_demand.busy:
            raise KeyboardInterrupt  # another process does the work, and goes on with it

    with signals_held("the refresh has ended", hurry), closing(on_demand):
        yield on_demand
