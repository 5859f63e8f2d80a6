"""The shape of a provider's table and of an app's table: which fields, which types.

How fields relate to each other is `coherence.py`'s business. Defaults are those of
`rules.providers.Provider`: a field that is not given is not passed on. Adding a field there? Add it
here too; a test compares the two.
"""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StrictBool
from pydantic_core import PydanticCustomError

from refresher.rules.kept_fields import MAX_FIELDS
from refresher.rules.providers import Body, ClientAuth, Provider, Rotation, Strategy

Text = Annotated[str, Field(min_length=1)]
Spelling = Annotated[str, Field(min_length=1, max_length=120)]
Lifetime = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Duration = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
AnswerField = Literal[
    "access_token", "refresh_token", "expires_in", "refresh_token_expires_in", "scope"
]
NAME_PATTERN = r"[a-z0-9][a-z0-9_-]{0,63}"


def _path(given: object) -> tuple[str | int, ...]:
    """Returns a way into an answer: names, and numbers that step into lists."""
    steps = given if isinstance(given, list | tuple) else None
    if steps is None or not all(_is_step(step) for step in steps):
        raise PydanticCustomError("path", "must be a list of names and numbers")
    return tuple(steps)


def _is_step(step: object) -> bool:
    return bool(step) if isinstance(step, str) else isinstance(step, int) and type(step) is int


def _name(given: object) -> tuple[str | int, ...]:
    """Returns a way into an answer that is given as one name, or as a path."""
    return _path([given] if isinstance(given, str) else given)


Steps = Annotated[tuple[str | int, ...], BeforeValidator(_path)]
AnswerName = Annotated[tuple[str | int, ...], BeforeValidator(_name), Field(min_length=1)]


class ProviderTable(BaseModel):
    """One provider: a built-in file, or `[providers.<name>]` merged with what it extends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_url: Text
    title: str | None = None
    strategy: Strategy | None = None
    refresh_url: Text | None = None
    revocation_url: Text | None = None
    host_pattern: Text | None = None
    default_host: Text | None = None
    host_example: Text | None = None
    placeholders: dict[str, Text] | None = None
    client_auth: ClientAuth | None = None
    body: Body | None = None
    method: Literal["GET", "POST"] | None = None
    grant_type: Text | None = None
    token_parameter: Text | None = None
    parameter_names: dict[str, Text] | None = None
    parameters: dict[str, str] | None = None
    headers: dict[str, str] | None = None
    send_scope: StrictBool | None = None
    keep_fields: Annotated[tuple[Text, ...], Field(max_length=MAX_FIELDS)] | None = None
    response_path: Steps | None = None
    answer_names: dict[AnswerField, AnswerName] | None = None
    error_path: Annotated[Steps, Field(min_length=1)] | None = None
    error_detail_path: Steps | None = None
    access_token_lifetime_fields: tuple[Text, ...] | None = None
    refresh_token_lifetime_fields: tuple[Text, ...] | None = None
    dead_grant_errors: frozenset[Spelling] | None = None
    dead_grant_errors_at_any_status: frozenset[Spelling] | None = None
    misconfigured_errors: frozenset[Spelling] | None = None
    retry_errors: frozenset[Spelling] | None = None
    success_without_error_codes: frozenset[Spelling] | None = None
    rotation: Rotation | None = None
    reuse_grace_seconds: Duration | None = None
    replay_after_seconds: Annotated[float, Field(strict=True, ge=0, le=3_600)] | None = None
    access_token_lifetime_seconds: Lifetime | None = None
    refresh_token_lifetime_seconds: Lifetime | None = None
    refresh_token_clock: Literal["sliding", "fixed"] | None = None
    not_before_expiry_seconds: Lifetime | None = None
    min_token_age_seconds: Duration | None = None
    max_requests_per_second: Annotated[float, Field(gt=0, le=100_000)] | None = None
    checked_on: Annotated[date, Field(strict=True)] | None = None
    sources: tuple[Text, ...] | None = None
    unsure: tuple[Text, ...] | None = None
    notes: str | None = None

    def to_provider(self, name: str) -> Provider:
        """Returns the provider, with its defaults where the table is silent."""
        given = {field: _frozen(getattr(self, field)) for field in self.model_fields_set}
        return Provider(name=name, **given)  # type: ignore[arg-type]


class AppTable(BaseModel):
    """`[apps.<provider>]` or `[apps."<provider>/<name>"]`: our OAuth client there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    client_id: Text
    client_secret: Annotated[SecretStr, Field(min_length=1)] | None = None
    client_secret_env: Text | None = None
    client_secret_file: Text | None = None


PROVIDER_FIELDS = tuple(ProviderTable.model_fields)
APP_FIELDS = tuple(AppTable.model_fields)


def _frozen(value: object) -> object:
    return MappingProxyType(value) if isinstance(value, dict) else value
