"""The services that looking needs, made from the settings: what a command opens without all others.

None of them sends anything. Whatever refreshes is made in `services.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from refresher import catalogue
from refresher.catalogue import Catalogue
from refresher.rules.policy import Policy
from refresher.runtime.issuers import KeptMetadata
from refresher.settings import Settings
from refresher.store.session import Database

if TYPE_CHECKING:
    from refresher.store.pool import Pool


def database_from(
    settings: Settings, *, name: str = "refresher", sessions_are_ours: bool | None = None
) -> Pool:
    """Returns the pool for the configured database; nothing is connected yet.

    Whether sessions are ours to keep is what the liveness lock says, unless it is given.
    """
    from refresher.store.pool import Pool  # noqa: PLC0415  who only looks needs no SQLAlchemy

    ours = settings.liveness_lock if sessions_are_ours is None else sessions_are_ours
    return Pool(
        settings.database,
        pool_size=settings.database_pool_size,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        name=name,
        schema=settings.database_schema,
        sessions_are_ours=ours,
    )


def catalogue_from(settings: Settings, database: Database | None = None) -> Catalogue:
    """Returns the built-in providers and those of the user's file; one that is wrong stops no other.

    What issuers tell of themselves, and those without an entry, are in the database.
    """
    loopback = settings.allow_insecure_hosts == "loopback"
    known = catalogue.load(settings.providers_file, allow_loopback=loopback, tolerant=True)
    if database is not None:
        known.resolver = kept = KeptMetadata(database)
        known.finder = kept.named
    return known


def policy_from(settings: Settings) -> Policy:
    """Returns the knobs of `rules/policy.py`, which have the settings' names."""
    names = Policy.__dataclass_fields__
    return Policy(**{name: getattr(settings, name) for name in names})
