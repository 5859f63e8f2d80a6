"""The order in which everything is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from refresher.insight.doctor import (
    Finding,
    connect,
    dashboard,
    installation,
    issuers,
    notify,
    postgres,
    proofs,
    rabbitmq,
    setup,
    work,
)
from refresher.insight.doctor.connect import PageFaults
from refresher.runtime.parts import database_from
from refresher.settings import Settings, flows_on
from refresher.store.session import Database


def findings(
    settings: Settings, page_faults: PageFaults, *, here: str = "this terminal"
) -> Iterator[Finding]:
    """Yields everything there is to say, as far as the checks can get.

    It opens connections of its own. `here` is what the settings are those of.
    """
    yield from setup.check(settings)
    yield from connect.check(settings, page_faults)
    if flows_on("redis", settings):
        from refresher.insight.doctor import redis  # noqa: PLC0415  a large library

        yield from redis.check(settings)
    if flows_on("rabbitmq", settings):
        yield from rabbitmq.check(settings)
    if settings.database_url is None:
        yield from installation.check_spool(settings, None)
        yield postgres.no_url()
        return
    with closing(database_from(settings, sessions_are_ours=False)) as opened:
        found = list(postgres.check(settings, opened))
        yield from found
        if any(finding.level == "fail" and finding.check == "database" for finding in found):
            yield from installation.check_spool(settings, None)
        else:
            yield from _of_tables(settings, opened, here)


def _of_tables(settings: Settings, database: Database, here: str) -> Iterator[Finding]:
    """Yields what the tables of a database that is well tell about the work."""
    yield from installation.check(settings, database)
    processes = setup.running(database)
    foreign = setup.foreign_settings(settings, processes)
    yield from setup.check_agreement(settings, processes, here)
    yield from work.check(settings, database)
    yield from issuers.check(settings, database)
    yield from proofs.check(settings, database)
    yield from connect.check_tables(settings, database)
    yield from dashboard.check(settings, database)
    yield from notify.check_mail(settings, database, foreign)
    yield from notify.check_webhooks(settings, database)
