"""Every knob, in one frozen `Settings`, read from the environment (prefix `REFRESHER_`).

`load()` is the one way in: it validates each value, then the relations between them, and turns what
is wrong into sentences. Durations are in seconds. What needs which setting: README, "Settings".
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from refresher.errors import SettingsError, did_you_mean

Seconds = Annotated[float, Field(gt=0, le=366 * 86_400)]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Queue = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=80)]
PREFIX = "REFRESHER_"
DATABASE_SCHEMES = ("postgres://", "postgresql://", "postgresql+psycopg://")
REDIS_SCHEMES = ("redis://", "rediss://")


class Flow(BaseModel):
    """How one flow runs: where its actors live, on which queue, and whether at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    transport: Literal["in_process", "redis"] = "redis"
    queue: Queue
    enabled: bool = True


class IntegrationRefresh(Flow):
    """The flow that refreshes tokens."""

    queue: Queue = "integration_refresh"


class Settings(BaseSettings):
    """The effective settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,  # a deployment file says `REDIS_URL=` and means "none"
        populate_by_name=True,
        frozen=True,
        extra="ignore",
    )

    database_url: SecretStr | None = Field(
        None, validation_alias=AliasChoices("REFRESHER_DATABASE_URL", "DATABASE_URL")
    )
    redis_url: SecretStr | None = Field(
        None, validation_alias=AliasChoices("REFRESHER_REDIS_URL", "REDIS_URL")
    )
    redis_db: Annotated[int, Field(ge=0, le=1023)] | None = None
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    providers_file: Path | None = None
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8080, validation_alias=AliasChoices("REFRESHER_PORT", "PORT")
    )
    health_host: str = "0.0.0.0"  # noqa: S104  a platform's probe comes from outside the container
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
    allow_insecure_hosts: Literal["none", "loopback"] = "loopback"

    tick_seconds: Seconds = 1.0
    sweep_interval_seconds: Seconds = 0.25
    crash_limit: Count = 3
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 200
    claim_limit: Annotated[int, Field(ge=1, le=10_000)] = 500
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
            raise SettingsError(
                "REDIS_URL is not set, and REFRESHER_INTEGRATION_REFRESH__TRANSPORT (redis) needs "
                "it: set one, or choose in_process"
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
        raise SettingsError("; ".join(_sentence(e) for e in error.errors())) from None
    except UnreadableVariable:
        flow = variable("integration_refresh")
        raise SettingsError(
            f"{flow} must be a JSON object; set its parts one by one, such as {flow}__TRANSPORT"
        ) from None
    faults = [*_unknown_variables(), *_unreadable_urls(settings), *_contradictions(settings)]
    if faults:
        raise SettingsError("; ".join(faults))
    return settings


def _unreadable_urls(settings: Settings) -> list[str]:
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


def sqlalchemy_url(url: str) -> str:
    """Returns `url` with the driver we use; hosts give `postgres://` or `postgresql://`."""
    rest = url.partition("://")[2]
    return f"postgresql+psycopg://{rest}"


def variable(field: str) -> str:
    """Returns the environment variable that sets `field` (dots lead into a flow)."""
    plain = {"database_url": "DATABASE_URL", "redis_url": "REDIS_URL", "port": "PORT"}
    return plain.get(field) or PREFIX + field.replace(".", "__").upper()


def _sentence(error: object) -> str:
    assert isinstance(error, dict)
    name = ".".join(str(part) for part in error["loc"])
    if name not in os.environ:  # of two names for one setting, the one that somebody set
        name = variable(name.removeprefix(PREFIX).lower())
    if error["type"] == "extra_forbidden":
        return _no_setting(name)
    return f"{name} is wrong: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _unknown_variables() -> list[str]:
    """Names variables that look like ours and are not: a typo must not pass in silence."""
    ours = [v for v in os.environ if v.startswith(PREFIX) and not v.startswith(f"{PREFIX}TEST_")]
    # The parts of a flow are judged with it.
    flow = variable("integration_refresh") + "__"
    known = _known_variables()
    return [_no_setting(v) for v in ours if v not in known and not v.startswith(flow)]


def _known_variables() -> set[str]:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    parts = {variable(f"integration_refresh.{part}") for part in Flow.model_fields}
    return known | parts | {variable(name) for name in Settings.model_fields}


def _no_setting(name: str) -> str:
    hint = did_you_mean(name, _known_variables(), PREFIX)
    return f"{name} is no setting{hint}; `refresher settings` lists all"


def _contradictions(s: Settings) -> list[str]:
    """Returns one sentence for each relation that does not hold, naming both settings."""
    cover = s.queue_wait_seconds + s.http_total_seconds + s.commit_seconds
    shutdown = s.http_total_seconds + s.commit_seconds
    must_be_below = [
        ("http_connect_seconds", "http_total_seconds"),
        ("http_total_seconds", "attempt_timeout_seconds"),
        ("tick_seconds", "lease_seconds"),
        ("sweep_interval_seconds", "lease_seconds"),
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
    return faults


def _shown(s: Settings, field: str) -> str:
    return f"{variable(field)} ({getattr(s, field):g})"
