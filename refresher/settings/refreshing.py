"""The knobs of refreshes, and of what every process needs: databases, keys, flows, times, limits.

A variable is the name in capitals behind `REFRESHER_`. Durations are in seconds. The rest of the
settings: `model.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from refresher.settings.names import (
    PREFIX,
    IntegrationRefresh,
    NotificationEmail,
    WebhookDelivery,
)
from refresher.settings.values import SPLIT, Count, Factor, Networks, Schema, Seconds, Share


class RefreshSettings(BaseSettings):
    """What refreshes need."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,  # a deployment file says `REDIS_URL=` and means "none"
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        str_strip_whitespace=True,  # a secret that is mounted as a file ends in a line break
    )

    # Where everything is
    database_url: SecretStr | None = Field(
        None, validation_alias=AliasChoices("REFRESHER_DATABASE_URL", "DATABASE_URL")
    )
    """PostgreSQL 14 or newer; forms, poolers, encodings: [databases.md](databases.md)"""
    database_schema: Schema | None = None
    """the schema of the tables, where another application uses the database, too"""
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    """connections to PostgreSQL that a process keeps for its work"""
    statement_timeout_seconds: Seconds = 10.0
    """how long one statement may take"""
    liveness_lock: bool = True
    """needs a session connection; `false` behind a pooler in transaction mode: only leases count"""
    redis_url: SecretStr | None = Field(
        None, validation_alias=AliasChoices("REFRESHER_REDIS_URL", "REDIS_URL")
    )
    """for flows with the transport `redis`"""
    rabbitmq_url: SecretStr | None = Field(
        None, validation_alias=AliasChoices("REFRESHER_RABBITMQ_URL", "RABBITMQ_URL")
    )
    """for flows with the transport `rabbitmq`: [databases.md](databases.md#rabbitmq)"""
    redis_db: Annotated[int, Field(ge=0, le=1023)] | None = None
    """the number of its database, if not the URL's"""
    data_directory: Path = Path(".refresher")
    """where a process keeps what PostgreSQL could not take, and `refresher up` its database"""
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode, SPLIT] = ()
    """the first seals, all open; `refresher encryption new-key` prints one"""
    encryption_keys_file: Path | None = None
    """the keys from a file instead, one a line: [encryption.md](encryption.md)"""
    providers_file: Path | None = None
    """your providers and apps: [providers.md](providers.md)"""

    # Flows
    integration_refresh: IntegrationRefresh = IntegrationRefresh()
    """the flow that refreshes tokens"""
    notification_email: NotificationEmail = NotificationEmail()
    """the flow that sends notices by mail: [notifications.md](notifications.md)"""
    webhook_delivery: WebhookDelivery = WebhookDelivery()
    """the flow that sends webhooks: [webhooks.md](webhooks.md)"""

    # When a token is refreshed
    lead_share: Share = 0.2
    """the share of a token's life that is left when it is refreshed"""
    long_lived_lead_share: Share = 0.5
    """the like for a token that is its own grant (long-lived exchange)"""
    lead_jitter_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """by how much of that time refreshes are spread: what was born together comes apart"""
    min_refresh_interval_seconds: Seconds = 1.0
    """the least time between two refreshes of one token"""
    expired_tokens: Literal["refresh", "stop"] = "refresh"
    """`stop` parks a connection whose token has expired"""

    # After a failure
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """the first attempts; after them a slow lane that never gives up"""
    attempt_interval_seconds: Seconds = 120.0
    """between two of the first attempts"""
    attempt_coefficient: Factor = 1.0
    """by how much each wait is longer than the one before"""
    slow_lane_max_seconds: Seconds = 3600.0
    """the longest wait of the slow lane"""
    rate_limit_wait_seconds: Seconds = 60.0
    """how long a provider is left alone that asks for it without a time"""
    app_probe_interval_seconds: Seconds = 60.0
    """how long an app is left alone that its provider refuses, at first; then twice as long"""
    app_probe_max_seconds: Seconds = 900.0
    """and for so long at the most"""
    breaker_failures: Count = 20
    """after so many in a row, of several connections, a host is [left alone](runbook.md#pauses)"""
    breaker_pause_seconds: Seconds = 30.0
    """for so long at first, until one row probes; then twice as long"""
    breaker_max_seconds: Seconds = 600.0
    """and for so long at the most"""

    # One refresh
    lease_seconds: Seconds = 60.0
    """how long a claim holds: must cover waiting in the queue, the exchange and the commit"""
    queue_wait_seconds: Seconds = 20.0
    """how long a message may wait for a worker"""
    http_connect_seconds: Seconds = 5.0
    """how long a connection to a provider may take"""
    http_total_seconds: Seconds = 20.0
    """how long one exchange may take"""
    http_max_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    """the largest answer that is read"""
    commit_seconds: Seconds = 10.0
    """how long it may take to store what came"""
    attempt_timeout_seconds: Seconds = 600.0
    """after this a frozen process loses its rows"""
    crash_limit: Count = 3
    """a row whose refresh ended its process so often is parked"""
    sender: Literal["auto", "httpx", "pyreqwest"] = "auto"
    """`auto` is `pyreqwest`, which comes with refresher where it has a wheel, else `httpx`"""
    allow_insecure_hosts: Literal["none", "loopback"] = "none"
    """`loopback`: requests may go to this machine, by http too; for development (`up` sets it)"""
    allowed_private_networks: Networks = ()
    """networks that requests may go to although they are not public (`10.1.0.0/16, fd00::/8`)"""

    # How much at once
    tick_seconds: Seconds = 1.0
    """how often the scheduler claims what is due"""
    sweep_interval_seconds: Seconds = 0.25
    """how often it looks for leases whose holder died"""
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 200
    """connections in one message"""
    claim_limit: Annotated[int, Field(ge=1, le=10_000)] = 600
    """rows that one claim takes"""
    max_leased: Count = 4_000
    """rows under way in all"""
    provider_share: Share = 0.5
    """how much of that one provider may have when others need it"""
    max_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 200
    """requests under way in one process, seven in eight of one organization or host at most"""
    worker_threads: Annotated[int, Field(ge=1, le=256)] = 4
    """threads of a process that runs actors"""
    in_process_processes: Annotated[int, Field(ge=1, le=64)] = 1
    """with the transport `in_process`: processes that refresh, the scheduler's own among them"""
    shutdown_seconds: Seconds = 30.0
    """how long a process that is asked to stop may finish what it began"""
