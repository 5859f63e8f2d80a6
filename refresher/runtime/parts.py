"""The services that looking needs, made from the settings: what a command opens without all others.

None of them sends anything. Whatever refreshes is made in `services.py`.
"""

from __future__ import annotations

from refresher import catalogue
from refresher.catalogue import Catalogue
from refresher.errors import SettingsError
from refresher.rules.policy import Policy
from refresher.runtime.cipher import Cipher, parse_key, read_keys
from refresher.runtime.issuers import KeptMetadata
from refresher.settings import Settings
from refresher.store.session import Database


def database_from(
    settings: Settings, *, name: str = "refresher", sessions_are_ours: bool | None = None
) -> Database:
    """Returns the pool for the configured database; nothing is connected yet.

    Whether sessions are ours to keep is what the liveness lock says, unless it is given.
    """
    ours = settings.liveness_lock if sessions_are_ours is None else sessions_are_ours
    return Database(
        settings.database,
        pool_size=settings.database_pool_size,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        name=name,
        schema=settings.database_schema,
        sessions_are_ours=ours,
    )


def cipher_from(settings: Settings) -> Cipher:
    """Returns the cipher; without a key, a sentence that names the command that makes one."""
    keys = [key.get_secret_value() for key in settings.encryption_keys]
    if settings.encryption_keys_file is not None:
        keys = read_keys(settings.encryption_keys_file)
    if not keys:
        raise SettingsError(
            "REFRESHER_ENCRYPTION_KEYS is not set, and tokens are never stored in the clear: "
            "`refresher encryption new-key` prints a key"
        )
    return Cipher([parse_key(key) for key in keys])


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
