"""What settings must be beside each other: URLs that can be read, relations that hold, whole mail.

Pure but for a look at folders and at what the drivers say of a URL: yields sentences, raises nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, parse_qsl, urlsplit

from refresher.rules.addresses import (
    LOOPBACK,
    RECONNECT_WORDS,
    UNSUBSCRIBE_WORDS,
    address_fault,
    sender_address,
    template_fault,
)
from refresher.rules.return_urls import entry_fault
from refresher.settings.database_url import ENCODE, UnreadableURL, canonical
from refresher.settings.names import flows_on, variable

if TYPE_CHECKING:
    from pydantic import SecretStr

    from refresher.settings import Settings

REDIS_SCHEMES = ("redis://", "rediss://")
RABBITMQ_SCHEMES = ("amqp://", "amqps://")
STARTTLS = ("required", "auto", "never")
STEPS = 6
"""How many answers of an SMTP server one mail may wait for."""


def unreadable_urls(settings: Settings) -> list[str]:
    """Returns one sentence for each URL that is none, or of another kind."""
    faults = []
    if settings.database_url is not None:
        try:
            canonical(settings.database_url.get_secret_value())
        except UnreadableURL as error:
            faults.append(f"DATABASE_URL {error}")
    if settings.redis_url is not None:
        faults += [f"REDIS_URL {why}" for why in redis_faults(settings.redis_url)]
    if settings.rabbitmq_url is not None:
        faults += [f"RABBITMQ_URL {why}" for why in rabbitmq_faults(settings.rabbitmq_url)]
    return faults


def redis_faults(given: SecretStr) -> Iterator[str]:
    """Yields what is wrong with the URL of a Redis, to be put behind its variable's name."""
    url = given.get_secret_value()
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        yield f"is no URL: its host or port cannot be read; {ENCODE}"
        return
    if not url.startswith(REDIS_SCHEMES):
        yield "must begin with redis:// or rediss:// (with TLS)"
    elif "@" in parts.path:
        yield f"is no URL that can be read: {ENCODE}"
    elif not re.fullmatch(r"/?\d*/?", parts.path):
        yield "names a database that is no number: write redis://host:6379/0"
    elif parts.query and (option := _unknown_option(url)):
        yield f"has {option}"


def _unknown_option(url: str) -> str | None:
    """Returns what is wrong with an option of the URL of a Redis; connects to nobody."""
    import redis  # noqa: PLC0415  a quarter of a second, for those who give options

    try:
        redis.Redis.from_url(url).connection_pool.make_connection()
    except (TypeError, ValueError, redis.RedisError) as error:
        known = [name for name, _ in parse_qsl(urlsplit(url).query) if name in str(error)]
        named = f'the option "{known[0]}"' if known else "an option"
        return f"{named}, which redis-py does not take: take it out, or put its value right"
    return None


def rabbitmq_faults(given: SecretStr) -> Iterator[str]:
    """Yields what is wrong with the URL of a RabbitMQ, to be put behind its variable's name."""
    url = given.get_secret_value()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield f"is no URL: its host or port cannot be read; {ENCODE}"
        return
    if not url.startswith(RABBITMQ_SCHEMES) or not host:
        yield "must begin with amqp:// or amqps:// (with TLS) and name a server"
    elif "@" in parts.path or parts.path.strip("/").count("/"):
        yield f"is no URL that can be read: {ENCODE}, in the name of a virtual host too"
    elif (parts.username is None) != (parts.password is None):
        yield "has a user without a password: write amqp://user:password@host:5672/"
    elif parts.query and not _pika_takes(url):
        yield "has an option that pika does not take: take it out, or put its value right"


def _pika_takes(url: str) -> bool:
    """Whether the options of a URL are right; without pika nobody would use them."""
    try:
        import pika  # noqa: PLC0415  for those who give options
    except ImportError:
        return True
    try:
        pika.URLParameters(url)
    except (TypeError, ValueError, OSError):
        return False
    return True


def no_broker(transport: Literal["redis", "rabbitmq"], flows: Sequence[str]) -> str:
    """Returns the sentence about a server that these flows lack."""
    names = " and ".join(variable(f"{flow}.transport") for flow in flows or ["integration_refresh"])
    need = "need" if len(flows) > 1 else "needs"
    return (
        f"{transport.upper()}_URL is not set, and {names} ({transport}) {need} it: set one, or choose "
        "in_process"
    )


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
    return [*faults, *_two_brokers(s), *_webhook_contradictions(s)]


def _two_brokers(s: Settings) -> Iterator[str]:
    """Yields a sentence where flows name two kinds of server: a worker works for one."""
    redis, rabbitmq = flows_on("redis", s), flows_on("rabbitmq", s)
    if redis and rabbitmq:
        one, other = variable(f"{redis[0]}.transport"), variable(f"{rabbitmq[0]}.transport")
        yield (
            f"{one} (redis) and {other} (rabbitmq) must be the same where neither is in_process: a "
            "worker works for one of them"
        )


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


def mail_faults(s: Settings) -> Iterator[str]:
    """Yields one sentence for each setting of mail that is missing or wrong."""
    yield from _sender(s)
    if s.mail_transport == "smtp":
        yield from _smtp(s)
    if s.mail_transport == "http":
        yield from _http(s)
    if s.mail_templates is not None and not s.mail_templates.is_dir():
        yield f"{variable('mail_templates')} ({s.mail_templates}) is no folder"
    for field, words in (
        ("reconnect_url", RECONNECT_WORDS),
        ("mail_unsubscribe_url", UNSUBSCRIBE_WORDS),
    ):
        fault = template_fault(getattr(s, field) or "https://x", words)
        if fault:
            yield f"{variable(field)} {fault}"
    cover = STEPS * s.mail_timeout_seconds
    if cover > s.mail_lease_seconds:
        yield (
            f"{variable('mail_lease_seconds')} ({s.mail_lease_seconds:g}) must cover {STEPS} × "
            f"{variable('mail_timeout_seconds')} = {cover:g}, or a slow mail is sent twice"
        )


def connect_faults(s: Settings) -> Iterator[str]:
    """Yields one sentence for each setting of the consent that is wrong."""
    for entry in s.connect_return_urls:
        if fault := entry_fault(entry):
            yield f"{variable('connect_return_urls')}: {entry} {fault}"
    if s.connect_templates is not None and not s.connect_templates.is_dir():
        yield f"{variable('connect_templates')} ({s.connect_templates}) is no folder"


def dashboard_faults(s: Settings) -> Iterator[str]:
    """Yields one sentence for each setting of the dashboard that is wrong beside the others."""
    if s.dashboard_idle_seconds > s.dashboard_session_seconds and (
        "dashboard_idle_seconds" in s.model_fields_set
    ):
        idle, whole = (_shown(s, f"dashboard_{name}_seconds") for name in ("idle", "session"))
        yield f"{idle} must not be more than {whole}"
    parts = ("dashboard_user_header", "dashboard_proxies", "dashboard_proxy_key_id")
    missing = [name for name in parts if not getattr(s, name)]
    if missing and len(missing) < len(parts):
        given = next(name for name in parts if name not in missing)
        lacking = " and ".join(variable(name) for name in missing)
        yield f"{variable(given)} is set without {lacking}: set all three, or none"


def _sender(s: Settings) -> Iterator[str]:
    name = variable("mail_from")
    try:
        address = sender_address(s.mail_from)
    except ValueError as error:
        yield f"{name} {error}"
        return
    if s.mail_transport == "console":
        return
    if "mail_from" not in s.model_fields_set:
        yield f"{name} is not set, and {variable('mail_transport')} ({s.mail_transport}) needs it"
    elif fault := address_fault(address.addr_spec):
        yield f"{name} {fault}"


def _smtp(s: Settings) -> Iterator[str]:
    name = variable("mail_smtp_url")
    if s.mail_smtp_url is None:
        yield f"{name} is not set, and {variable('mail_transport')} (smtp) needs it"
        return
    try:
        parts = urlsplit(s.mail_smtp_url.get_secret_value())
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield f"{name} is no URL: its host or port cannot be read"
        return
    if parts.scheme not in {"smtp", "smtps"} or not host:
        yield f"{name} must begin with smtp:// (STARTTLS) or smtps:// (TLS) and name a server"
        return
    query = parse_qs(parts.query, keep_blank_values=True)
    starttls = query.get("starttls", ["required"])[0]
    if set(query) - {"starttls"} or starttls not in STARTTLS:
        yield f"{name} knows one option, starttls={'|'.join(STARTTLS)}"
    elif (
        parts.password
        and parts.scheme == "smtp"
        and starttls != "required"
        and host not in LOOPBACK
    ):
        yield f"{name} has a password, which must not travel in the clear: starttls=required, or smtps://"


def _http(s: Settings) -> Iterator[str]:
    for field in ("mail_http_url", "mail_http_key"):
        if getattr(s, field) is None:
            yield f"{variable(field)} is not set, and {variable('mail_transport')} (http) needs it"
    if s.mail_http_url and (fault := template_fault(s.mail_http_url, ())):
        yield f"{variable('mail_http_url')} {fault}"
