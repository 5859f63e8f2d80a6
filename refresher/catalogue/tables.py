"""Reads one table of the providers file: `[providers.…]` or `[signals.…]`; `apps.py` reads `[apps.…]`.

Which fields a table may have, and of which types, is declared where the values are: `Provider` and
`SignalSource`. How they relate to each other is the business of `checks.py`. A secret never stands in a
fault's sentence, and values only where they are one of a few words (a strategy, a method).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, create_model

from refresher.catalogue.checks import faults
from refresher.catalogue.plugins import NoPlugin, installed
from refresher.catalogue.secrets import TomlTable, Wrong, read_secret
from refresher.catalogue.urls import url_faults
from refresher.errors import did_you_mean
from refresher.rules import field_types
from refresher.rules.consent import Consent, Identity, SecondStep
from refresher.rules.field_types import SomeText, Texts
from refresher.rules.providers import Provider
from refresher.rules.signals import SignalSource, SourceKind
from refresher.rules.words import no_field, place, said

PlainSecret = Annotated[SecretStr, Field(min_length=1)]
NAME_PATTERN = r"[a-z0-9][a-z0-9_-]{0,63}"
STRICT = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)
NEEDED = {
    SourceKind.SECURITY_EVENT_TOKEN: ("issuer", "audience", "jwks_url"),
    SourceKind.HMAC: ("signature_header", "subject_path", "revoked_events"),
}
ELSEWHERE = {
    **dict.fromkeys(("authorization_url", "auth_url"), "it is called authorize_url here"),
    "scopes": "they belong to each connection",
    "scope": "they belong to each connection",
}
"""Names that other tools and RFC 8414 use, and what to do about each."""
ALSO_CALLED = {
    "token_endpoint": "token_url",
    "revocation_endpoint": "revocation_url",
    "authorization_endpoint": "authorize_url",
    "introspection_endpoint": "introspection_url",
    "userinfo_endpoint": "identity_url",
    "token_endpoint_auth_method": "client_auth",
}
"""Names of RFC 8414 section 2 and RFC 7591 section 2 that are understood, and our own."""
WORDS = {
    "missing": "is missing",
    "string_type": "must be a text in quotes",
    "string_too_short": "must not be empty",
    "float_type": "must be a number of seconds",
    "finite_number": "must be a number of seconds",
    "assertion_life": "must be between 60 and 86,400 seconds",
    "bool_type": "must be true or false",
    "mapping_type": "must be a table of texts",
    "dict_type": "must be a table of texts",
    "tuple_type": "must be a list of texts",
    "frozen_set_type": "must be a list of texts",
    "table": "must be a table",
    "path": 'must be a list of names, and numbers for places in lists: ["errors", 0, "code"]',
    "int_type": "must be a whole number",
    "date_type": "must be a date such as 2026-11-22, without quotes",
    "too_short": "must not be empty",
    "too_long": "has more than {max_length} items",
    "greater_than": "must be more than {gt:g} seconds",
    "greater_than_equal": "must not be negative",
    "string_too_long": "is longer than {max_length} characters",
}
PARTS = {
    "connect": Consent,
    "connect.identity": Identity,
    "connect.second_step": SecondStep,
}
"""The tables within a provider's table."""


class _Table(BaseModel):
    """A table whose fields are those of a value."""

    model_config = STRICT


class _WithSecret(_Table):
    """A table with a secret besides, in one of three ways."""

    secret: PlainSecret | None = None
    secret_env: SomeText | None = None
    secret_file: SomeText | None = None


class AppTable(_Table):
    """`[apps.<provider>]` or `[apps."<provider>/<name>"]`: our OAuth client there."""

    client_id: SomeText
    """required: the app's id at the provider; a public client has no secret"""
    client_secret: PlainSecret | None = None
    """the secret itself, in this file"""
    client_secret_env: SomeText | None = None
    """the environment variable that has it instead"""
    client_secret_file: SomeText | None = None
    """the file that has it instead, as seen from this one"""
    previous_client_secret: PlainSecret | None = None
    """while a secret is being changed: the one before, tried where the new one is refused"""
    previous_client_secret_env: SomeText | None = None
    """the environment variable that has it instead"""
    previous_client_secret_file: SomeText | None = None
    """the file that has it instead"""
    private_key_env: SomeText | None = None
    """the environment variable that has the private key that signs for the app, in PEM"""
    private_key_file: SomeText | None = None
    """the file that has it instead"""
    key_id: SomeText | None = None
    """what the provider calls that key (`kid`)"""
    certificate_file: SomeText | None = None
    """the file with the app's certificate, in PEM, and its chain behind it"""
    certificate_key_env: SomeText | None = None
    """the environment variable that has the certificate's private key, in PEM"""
    certificate_key_file: SomeText | None = None
    """the file that has it instead"""
    placeholders: Texts | None = None
    """values of the entry's placeholders that are the app's: `{ redirect_uri = "https://…" }`"""


def _model(base: type[_Table], kind: type, *, without: Sequence[str]) -> type[_Table]:
    """Returns the model of a table: the fields of a value but for some. Its defaults are its own."""
    hints = get_type_hints(kind, localns=vars(field_types), include_extras=True)
    own: dict[str, Any] = {
        f.name: (hints[f.name], ... if f.default is f.default_factory is MISSING else None)
        for f in fields(kind)
        if f.name not in without
    }
    return create_model(kind.__name__, __base__=base, **own)


ProviderTable = _model(_Table, Provider, without=["name"])
SignalTable = _model(_WithSecret, SignalSource, without=["provider", "secret"])
APP_FIELDS = tuple(AppTable.model_fields)
SIGNAL_SECRETS = ("secret", "secret_env", "secret_file")


def with_own_names(table: TomlTable) -> TomlTable:
    """Returns a provider's table with our names where it has the RFCs'; raises `Wrong` for both."""
    known = {
        theirs: own for theirs, own in ALSO_CALLED.items() if own in ProviderTable.model_fields
    }
    for theirs, own in known.items():
        if theirs in table and own in table:
            raise Wrong(f"{own} and {theirs} are two names of one field: give one of them")
    return {known.get(field, field): value for field, value in table.items()}


def read_provider(name: str, table: TomlTable, *, allow_loopback: bool) -> Provider:
    """Returns the provider, with its defaults where the table is silent; raises `Wrong`."""
    given = checked(ProviderTable, table, more_fields=["extends"])
    provider = Provider(name=name, **given)
    refuse(faults(provider, allow_loopback=allow_loopback))
    if provider.plugin is not None:
        try:
            installed(provider.plugin)
        except NoPlugin as error:
            raise Wrong(str(error)) from None
    return provider


def read_source(
    key: str,
    table: TomlTable,
    providers: Collection[str],
    folder: Path,
    *,
    allow_loopback: bool,
) -> SignalSource:
    """Returns the source of signals; raises `Wrong`, or `SecretMissing`."""
    check_provider(key, providers)
    given = checked(SignalTable, table)
    missing = [f"{name} is missing" for name in NEEDED[given["kind"]] if name not in given]
    secret = read_secret(given, "secret", folder)
    if given["kind"] is SourceKind.HMAC and secret is None:
        missing.append("secret is missing: give secret, secret_env or secret_file")
    if "jwks_url" in given:
        missing += url_faults("jwks_url", given["jwks_url"], allow_loopback=allow_loopback)
    refuse(missing)
    plain = {name: value for name, value in given.items() if name not in SIGNAL_SECRETS}
    return SignalSource(provider=key, secret=secret, **plain)


def checked(
    model: type[BaseModel], table: TomlTable, more_fields: Iterable[str] = ()
) -> dict[str, Any]:
    """Returns the fields that a table gives, checked; raises `Wrong`."""
    try:
        read = model.model_validate(table)
    except ValidationError as error:
        known = (*model.model_fields, *more_fields)
        raise Wrong(*[_sentence({**e}, known) for e in error.errors(include_url=False)]) from None
    return {
        name: getattr(read, name) for name in model.model_fields if name in read.model_fields_set
    }


def check_provider(name: str, providers: Collection[str]) -> None:
    """Raises `Wrong` for a provider that nobody knows."""
    if name not in providers:
        raise Wrong(f'no provider is called "{name}"{did_you_mean(name, providers)}')


def refuse(found: Iterable[str]) -> None:
    """Raises `Wrong` with the sentences, if there are any."""
    if sentences := list(found):
        raise Wrong(*sentences)


def _sentence(fault: Mapping[str, object], known: tuple[str, ...]) -> str:
    location = place(fault["loc"])
    field = ".".join(str(part) for part in location if isinstance(part, str) and part != "[key]")
    if location and isinstance(location[-1], int):
        field += f", item {location[-1] + 1},"
    match fault["type"]:
        case "extra_forbidden" if field in APP_FIELDS and field not in known:
            return f"{field} belongs to the app: put it under [apps.…]"
        case "extra_forbidden" if field in ELSEWHERE:
            return f'there is no field "{field}": {ELSEWHERE[field]}'
        case "extra_forbidden":
            return no_field(field, _known_at(field, known))
        case "enum" | "literal_error":
            return _choice(field, fault["input"], _expected(fault))
    own = fault["type"] in WORDS
    return f"{field}{'' if own else ':'} {said(fault, WORDS)}"


def _known_at(field: str, known: tuple[str, ...]) -> Iterable[str]:
    """Returns the fields of the table that a field of this name stands in."""
    *above, _ = field.split(".")
    kind = PARTS.get(".".join(above))
    return known if kind is None else (".".join([*above, f.name]) for f in fields(kind))


def _expected(fault: Mapping[str, Any]) -> list[str]:
    return re.findall(r"'([^']*)'", fault["ctx"]["expected"])


def _choice(field: str, given: object, choices: list[str]) -> str:
    listed = ", ".join(f'"{choice}"' for choice in choices)
    if not isinstance(given, str):
        return f"{field} must be one of {listed}"
    return f'{field} is "{given}", but must be one of {listed}{did_you_mean(given, choices)}'
