"""Checks what carries this installation's name: its spool, and whether others use the same Redis."""

from __future__ import annotations

from collections.abc import Iterator

from refresher.cli.doctor import spool
from refresher.cli.doctor.finding import Finding, fail, ok, warn
from refresher.errors import RedisUnavailable
from refresher.runtime.neighbours import Neighbours
from refresher.settings import Settings
from refresher.store import installation
from refresher.store.session import Database

APART = 'see docs/databases.md, "Two installations on one Redis"'


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields findings on the spool and on neighbours."""
    with database.transaction() as db:
        name, place = installation.name(db), installation.place(db)
    yield from spool.check(settings, name)
    if settings.redis_url is None:
        return
    try:
        met = Neighbours(settings, name, place).met()
    except RedisUnavailable:
        return  # told by the check of Redis, where it matters
    for one in met:
        yield (fail if one.is_copy else warn)("neighbours", one.sentence, APART)
    if not met:
        yield ok("neighbours", f"no other installation uses this Redis; ours is {name.hex[:12]}")
