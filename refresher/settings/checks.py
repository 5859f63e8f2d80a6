"""What settings must be beside each other: URLs that can be read, relations that hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from refresher.settings.names import variable

if TYPE_CHECKING:
    from refresher.settings import Settings

DATABASE_SCHEMES = ("postgres://", "postgresql://", "postgresql+psycopg://")
REDIS_SCHEMES = ("redis://", "rediss://")


def unreadable_urls(settings: Settings) -> list[str]:
    """Returns one sentence for each URL that is none, or of another kind."""
    given = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    faults = []
    for name, url in given.items():
        try:
            _ = urlsplit(url.get_secret_value() if url else "").port
        except ValueError:
            faults.append(f"{name} is no URL: its host or port cannot be read")
    redis = settings.redis_url.get_secret_value() if settings.redis_url else None
    if redis is not None and not redis.startswith(REDIS_SCHEMES):
        faults.append("REDIS_URL must begin with redis:// or rediss:// (with TLS)")
    if settings.database_url is not None:
        url_given = settings.database_url.get_secret_value()
        if not url_given.startswith(DATABASE_SCHEMES):
            faults.append("DATABASE_URL must begin with postgresql:// (no other database does)")
    return faults


def contradictions(s: Settings) -> list[str]:
    """Returns one sentence for each relation that does not hold, naming both settings."""
    cover = s.queue_wait_seconds + s.http_total_seconds + s.commit_seconds
    shutdown = s.http_total_seconds + s.commit_seconds
    must_be_below = [
        ("http_connect_seconds", "http_total_seconds"),
        ("http_total_seconds", "attempt_timeout_seconds"),
        ("tick_seconds", "lease_seconds"),
        ("sweep_interval_seconds", "lease_seconds"),
        ("webhook_retry_max_seconds", "webhook_give_up_after_seconds"),
    ]
    may_not_exceed = [("lease_seconds", "attempt_timeout_seconds"), ("batch_size", "max_leased")]
    faults = [
        f"{_shown(s, low)} must be less than {_shown(s, high)}"
        for low, high in must_be_below
        if getattr(s, low) >= getattr(s, high)
    ]
    faults += [
        f"{_shown(s, low)} must not be more than {_shown(s, high)}"
        for low, high in may_not_exceed
        if getattr(s, low) > getattr(s, high)
    ]
    if cover > s.lease_seconds:
        faults.append(
            f"{_shown(s, 'lease_seconds')} must cover {_shown(s, 'queue_wait_seconds')} + "
            f"{_shown(s, 'http_total_seconds')} + {_shown(s, 'commit_seconds')} = {cover:g}, or a "
            "slow refresh outlives its lease"
        )
    if shutdown > s.shutdown_seconds:
        faults.append(
            f"{_shown(s, 'shutdown_seconds')} must cover {_shown(s, 'http_total_seconds')} + "
            f"{_shown(s, 'commit_seconds')} = {shutdown:g}, or a clean stop cuts a refresh off"
        )
    if s.encryption_keys and s.encryption_keys_file is not None:
        keys, file = variable("encryption_keys"), variable("encryption_keys_file")
        faults.append(f"{keys} and {file} are both set: keep the keys in one place")
    return [*faults, *_webhook_contradictions(s)]


def _webhook_contradictions(s: Settings) -> Iterator[str]:
    cover = s.queue_wait_seconds + s.webhook_total_seconds + s.commit_seconds
    if cover > s.webhook_lease_seconds:
        yield (
            f"{_shown(s, 'webhook_lease_seconds')} must cover {_shown(s, 'queue_wait_seconds')} + "
            f"{_shown(s, 'webhook_total_seconds')} + {_shown(s, 'commit_seconds')} = {cover:g}, or "
            "a slow webhook outlives its lease and is sent twice"
        )


def _shown(s: Settings, field: str) -> str:
    return f"{variable(field)} ({getattr(s, field):g})"
