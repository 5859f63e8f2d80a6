"""Every knob, declared once: its name, type, default and meaning. docs/settings.md is made of this.

A variable is the name in capitals behind `REFRESHER_`. Durations are in seconds. What settings must be
beside each other is in `checks.py`; the knobs of refreshes are in `refreshing.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import NoDecode

from refresher.errors import SettingsError
from refresher.settings.checks import no_broker
from refresher.settings.database_url import sqlalchemy_url
from refresher.settings.names import flows_on
from refresher.settings.refreshing import RefreshSettings
from refresher.settings.values import (
    SPLIT,
    Count,
    Domain,
    Factor,
    Networks,
    Port,
    QuotaCount,
    Seconds,
)


class Settings(RefreshSettings):
    """The effective settings of one process."""

    # The web process
    port: Port = Field(8080, validation_alias=AliasChoices("REFRESHER_PORT", "PORT"))
    """where health, metrics and the API are; each process on a machine needs its own; 0: nowhere"""
    host: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        "::", validation_alias=AliasChoices("REFRESHER_HOST", "REFRESHER_HEALTH_HOST")
    )
    """where PORT is listened on: `::` is every address; `localhost` (as in `up`) only this machine"""
    web_processes: Annotated[int, Field(ge=1, le=64)] = 1
    """processes of the API that share a port"""
    web_threads: Annotated[int, Field(ge=1, le=128)] = 8
    """threads of each, for what is not a token read"""
    api_requests_per_second: Annotated[float, Field(ge=0.1, le=1_000_000)] = 1_000.0
    """how many each API key may make"""
    api_max_body_bytes: Annotated[int, Field(ge=1024, le=16_777_216)] = 262_144
    """the largest body that is read"""
    on_demand_interval_seconds: Seconds = 10.0
    """how soon after a failure, or for a token that is refused again, a caller causes a refresh"""
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+$")] | None = None
    """where the API is reached from outside: `https://refresher.example`; resume links begin so"""
    hsts_seconds: Annotated[int, Field(ge=0, le=10 * 366 * 86_400)] = 0
    """more: answers tell browsers to reach this host by https only (RFC 6797), for so long"""
    quota_connections: QuotaCount = 0
    """connections that an organization may have by API; 0: no limit, as in each quota"""
    quota_webhooks: QuotaCount = 20
    """its webhook endpoints"""
    quota_recipients: QuotaCount = 100
    """its recipients of mail"""
    quota_links: QuotaCount = 10_000
    """its open resume links"""

    # Connect: the consent
    connect: bool = True
    """pages on which people connect accounts; they need REFRESHER_PUBLIC_URL"""
    connect_name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """your product's name, as these pages say it"""
    connect_session_seconds: Annotated[float, Field(ge=60, le=3600)] = 900.0
    """how long a link lasts that a person is sent to at once"""
    connect_link_seconds: Annotated[float, Field(ge=60, le=30 * 86_400)] = 86_400.0
    """how long one lasts that is handed on"""
    connect_return_urls: Annotated[tuple[str, ...], NoDecode, SPLIT] = ()
    """where people may go afterwards, query apart; an organization's own are on these origins"""
    connect_discovery: Literal["listed", "any"] = "listed"
    """whether sessions may name any MCP server or issuer, or only those of your providers file"""
    connect_templates: Path | None = None
    """a folder with your own pages; a file takes the place of ours of the same name"""
    connect_in_mails: bool = True
    """a mail about a broken connection has a link to reconnect it, where no page of yours is set"""
    quota_sessions: QuotaCount = 1_000
    """connect sessions of an organization that are open"""
    trusted_proxies: Networks = ()
    """whose `X-Forwarded-For` tells a visitor's address (`10.0.0.0/8`); empty: nobody's"""

    # The dashboard
    dashboard: Literal["on", "read_only", "off"] = "on"
    """pages at `/ui` for people; `read_only`: nothing can be changed there"""
    dashboard_session_seconds: Annotated[float, Field(ge=60, le=30 * 86_400)] = 43_200.0
    """how long somebody stays signed in"""
    dashboard_idle_seconds: Annotated[float, Field(ge=120, le=30 * 86_400)] = 7_200.0
    """after so long without a request a session ends"""
    dashboard_user_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")] | None = None
    """in which a proxy that signs people in names them: `X-Forwarded-User`"""
    dashboard_proxies: Networks = ()
    """from whom that header is taken (`10.0.0.5`): nobody else may come with it"""
    dashboard_proxy_key_id: Annotated[str, Field(pattern=r"^[a-z2-7]{12}$")] | None = None
    """the API key whose rights these people have: its id, the part behind `rfr_`"""

    # Mail
    mail_transport: Literal["console", "smtp", "http"] = "console"
    """`console` prints mails beside the log"""
    mail_from: str = "refresher <refresher@localhost>"
    """`Acme <no-reply@acme.example>`"""
    mail_smtp_url: SecretStr | None = None
    """`smtp://user:password@host:587` (STARTTLS, unless it ends in `?starttls=never`) or `smtps://`"""
    mail_http_url: str | None = None
    """a mail API that takes the JSON that Resend documents"""
    mail_http_key: SecretStr | None = None
    """its bearer key"""
    mail_templates: Path | None = None
    """a folder with your own Jinja2 templates; a file takes the place of ours of the same name"""
    mail_unsubscribe_url: str | None = None
    """for `List-Unsubscribe`, with `{recipient_id}`, `{organization_id}`; else a mail to the sender"""
    reconnect_url: str | None = None
    """the reconnect page of organizations without one of their own"""
    recipient_domains: Annotated[tuple[Domain, ...], NoDecode, SPLIT] = ()
    """where recipients by API may be (`acme.example, *.corp.example`); empty: anywhere"""
    mail_spacing_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.7
    """at least so long between two mails, over all processes"""
    mail_timeout_seconds: Seconds = 15.0
    """how long each answer of the mail server may take"""
    mail_lease_seconds: Seconds = 120.0
    """how long a claim of one mail holds: must cover six such answers"""
    mail_burst: Count = 3
    """so many immediate mails to one recipient within a digest's interval"""
    digest_interval_seconds: Seconds = 300.0
    """how often digests are made"""

    # Webhooks
    webhook_total_seconds: Seconds = 15.0
    """how long an attempt may take"""
    webhook_lease_seconds: Seconds = 60.0
    """must cover waiting in the queue, the attempt and the commit"""
    webhook_concurrency: Annotated[int, Field(ge=1, le=1_000)] = 8
    """messages under way to one endpoint"""
    webhook_organization_concurrency: Annotated[int, Field(ge=1, le=10_000)] = 32
    """messages under way of one organization"""
    webhook_max_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 256
    """messages under way in all"""
    webhook_retry_first_seconds: Seconds = 5.0
    """the first wait after a failure"""
    webhook_retry_coefficient: Factor = 4.0
    """by how much each wait is longer than the one before"""
    webhook_retry_max_seconds: Seconds = 14_400.0
    """the longest wait"""
    webhook_give_up_after_seconds: Seconds = 86_400.0
    """how long a message is tried"""
    webhook_breaker_failures: Count = 5
    """after so many failures in a row an endpoint is left alone"""
    webhook_breaker_pause_seconds: Seconds = 30.0
    """for so long at first, then twice as long"""
    webhook_breaker_max_seconds: Seconds = 600.0
    """and for so long at the most"""
    webhook_secret_overlap_seconds: Seconds = 86_400.0
    """how long two secrets are valid after a rotation"""
    webhook_keep_days: Annotated[float, Field(gt=0, le=3_660)] = 30.0
    """how long messages are kept that ended"""

    # What people see
    event_retention_days: Annotated[int, Field(ge=1, le=1_000)] = 90
    """how long events are kept, by whole days"""
    answer_retention_days: Annotated[int, Field(ge=1, le=1_000)] = 30
    """how long answers that could not be read are kept, sealed"""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """the least that is logged"""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto`: JSON, or colours on a terminal"""
    metrics: bool = True
    """count, and serve `/metrics`: [monitoring.md](monitoring.md)"""
    metrics_gauges: Literal["auto", "on", "off"] = "auto"
    """who tells the gauges of the whole deployment; `auto`: scheduler and web"""
    metrics_cache_seconds: Seconds = 5.0
    """how often those are read at most"""
    status_port: Port = 0
    """a port of their own for `/health/status` and `/metrics`; 0: PORT, as far as they may"""
    status_token: Annotated[SecretStr, Field(min_length=16)] | None = None
    """opens `/health/status` and `/metrics`; with neither token nor port the web process shows none"""
    traces: Literal["off", "otlp"] = "off"
    """OpenTelemetry (`pip install "refresher[otel]"`)"""
    sentry_dsn: SecretStr | None = None
    """Sentry (`pip install "refresher[sentry]"`)"""
    sentry_environment: str = "production"
    """what Sentry calls this deployment"""

    @property
    def helpers(self) -> int:
        """How many processes refresh beside the scheduler; with another transport workers do."""
        flow = self.integration_refresh
        return self.in_process_processes - 1 if flow.transport == "in_process" else 0

    @property
    def database(self) -> str:
        """The database URL in SQLAlchemy's form; raises `SettingsError` when there is none."""
        if self.database_url is None:
            raise SettingsError(
                "DATABASE_URL is not set: give a PostgreSQL URL, or run `refresher up`, "
                "which brings its own database"
            )
        return sqlalchemy_url(self.database_url.get_secret_value())

    @property
    def redis(self) -> str:
        """The Redis URL with its database number; raises `SettingsError` when there is none."""
        if self.redis_url is None:
            raise SettingsError(no_broker("redis", flows_on("redis", self)))
        url = self.redis_url.get_secret_value()
        chosen = self.redis_db
        return url if chosen is None else urlsplit(url)._replace(path=f"/{chosen}").geturl()

    @property
    def rabbitmq(self) -> str:
        """The URL of RabbitMQ; raises `SettingsError` when there is none."""
        if self.rabbitmq_url is None:
            raise SettingsError(no_broker("rabbitmq", flows_on("rabbitmq", self)))
        return self.rabbitmq_url.get_secret_value()
