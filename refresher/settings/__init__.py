"""Every knob, in one frozen `Settings`, read from the environment (prefix `REFRESHER_`).

`load()` is the one way in: it validates each value, then the relations between them, and turns what
is wrong into sentences. Durations are in seconds. What needs which setting: README, "Settings".
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from refresher.errors import SettingsError
from refresher.settings.checks import contradictions, unreadable_urls
from refresher.settings.database_url import UnreadableURL, canonical
from refresher.settings.mail import mail_faults
from refresher.settings.names import flows, sentence, unknown_variables, variable
from refresher.settings.notifying import NotifyingSettings
from refresher.settings.observing import ObservingSettings
from refresher.settings.values import (
    PREFIX,
    Count,
    Flow,
    IntegrationRefresh,
    NotificationEmail,
    Schema,
    Seconds,
    Share,
)
from refresher.settings.web import WebSettings

__all__ = [
    "PREFIX",
    "Flow",
    "IntegrationRefresh",
    "NotificationEmail",
    "Settings",
    "flows_on",
    "load",
    "sqlalchemy_url",
    "variable",
]


class Settings(WebSettings, NotifyingSettings, ObservingSettings, BaseSettings):
    """The effective settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,  # a deployment file says `REDIS_URL=` and means "none"
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        str_strip_whitespace=True,  # a secret that is mounted as a file ends in a line break
    )

    database_url: SecretStr | None = Field(
        None, validation_alias=AliasChoices("REFRESHER_DATABASE_URL", "DATABASE_URL")
    )
    database_schema: Schema | None = None
    redis_url: SecretStr | None = Field(
        None, validation_alias=AliasChoices("REFRESHER_REDIS_URL", "REDIS_URL")
    )
    redis_db: Annotated[int, Field(ge=0, le=1023)] | None = None
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    encryption_keys_file: Path | None = None
    providers_file: Path | None = None
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8080, validation_alias=AliasChoices("REFRESHER_PORT", "PORT")
    )
    host: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        "::", validation_alias=AliasChoices("REFRESHER_HOST", "REFRESHER_HEALTH_HOST")
    )
    """Where PORT is listened on: `::` is every address, IPv4 too; `localhost` this machine's own."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    data_directory: Path = Path(".refresher")

    integration_refresh: IntegrationRefresh = IntegrationRefresh()

    lead_share: Share = 0.2
    long_lived_lead_share: Share = 0.5
    lead_jitter_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    min_refresh_interval_seconds: Seconds = 1.0
    expired_tokens: Literal["refresh", "stop"] = "refresh"

    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    attempt_interval_seconds: Seconds = 120.0
    attempt_coefficient: Annotated[float, Field(ge=1, le=10)] = 1.0
    attempt_timeout_seconds: Seconds = 600.0
    slow_lane_max_seconds: Seconds = 3600.0
    rate_limit_wait_seconds: Seconds = 60.0
    app_probe_interval_seconds: Seconds = 60.0
    app_probe_max_seconds: Seconds = 900.0

    breaker_failures: Count = 20
    breaker_pause_seconds: Seconds = 30.0
    breaker_max_seconds: Seconds = 600.0

    lease_seconds: Seconds = 60.0
    queue_wait_seconds: Seconds = 20.0
    commit_seconds: Seconds = 10.0
    http_connect_seconds: Seconds = 5.0
    http_total_seconds: Seconds = 20.0
    sender: Literal["auto", "httpx", "pyreqwest"] = "auto"
    http_max_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    allow_insecure_hosts: Literal["none", "loopback"] = "none"

    tick_seconds: Seconds = 1.0
    sweep_interval_seconds: Seconds = 0.25
    crash_limit: Count = 3
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 200
    claim_limit: Annotated[int, Field(ge=1, le=10_000)] = 600
    max_leased: Count = 4_000
    provider_share: Share = 0.5
    worker_threads: Annotated[int, Field(ge=1, le=256)] = 4
    max_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 200
    shutdown_seconds: Seconds = 30.0
    liveness_lock: bool = True
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    statement_timeout_seconds: Seconds = 10.0

    @field_validator("encryption_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(key.strip() for key in value.split(",") if key.strip())

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
            asking = flows_on("redis", self) or ["integration_refresh"]
            names = " and ".join(variable(f"{flow}.transport") for flow in asking)
            need = "needs" if len(asking) == 1 else "need"
            raise SettingsError(
                f"REDIS_URL is not set, and {names} (redis) {need} it: set one, or choose in_process"
            )
        url = self.redis_url.get_secret_value()
        if self.redis_db is None:
            return url
        return urlsplit(url)._replace(path=f"/{self.redis_db}").geturl()


def load(**overrides: object) -> Settings:
    """Returns the settings of the environment; raises `SettingsError` naming each fault."""
    try:
        settings = Settings.model_validate(overrides) if overrides else Settings()
    except ValidationError as error:
        faults = [sentence({**e}, Settings.model_fields) for e in error.errors()]
        raise SettingsError("; ".join(faults)) from None
    except UnreadableVariable as error:
        known = flows(Settings.model_fields)
        flow = variable(next((name for name in known if f'"{name}"' in str(error)), known[-1]))
        raise SettingsError(
            f"{flow} must be a JSON object; set its parts one by one, such as {flow}__TRANSPORT"
        ) from None
    faults = [
        *unknown_variables(Settings.model_fields),
        *unreadable_urls(settings),
        *contradictions(settings),
        *mail_faults(settings),
    ]
    if faults:
        raise SettingsError("; ".join(faults))
    return settings


def flows_on(transport: str, settings: Settings) -> list[str]:
    """Returns the flows that are carried by this transport."""
    names = sorted(flows(Settings.model_fields))
    return [name for name in names if getattr(settings, name).transport == transport]


def sqlalchemy_url(url: str) -> str:
    """Returns `url` in the form of the driver we use; hosts give `postgres://` or `postgresql://`.

    Raises `SettingsError`.
    """
    try:
        return canonical(url)
    except UnreadableURL as error:
        raise SettingsError(f"DATABASE_URL {error}") from None
