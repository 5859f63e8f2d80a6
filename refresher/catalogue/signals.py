"""Reads `[signals.…]`: how a provider's own notices are verified, with secrets as for apps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from refresher.catalogue.apps import Fault, SecretMissing, find_secret
from refresher.catalogue.hosts import url_faults
from refresher.catalogue.sentences import sentences
from refresher.errors import did_you_mean
from refresher.rules.providers import Provider
from refresher.rules.signals import Encoding, SignalSource, SourceKind

Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")]
Path_ = Annotated[tuple[Text, ...], Field(min_length=1)]
NEEDED = {
    SourceKind.SECURITY_EVENT_TOKEN: ("issuer", "audience", "jwks_url"),
    SourceKind.HMAC: ("signature_header", "subject_path", "revoked_events"),
}
SECRETS = ("secret", "secret_env", "secret_file")


class SignalTable(BaseModel):
    """`[signals.<provider>]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: SourceKind
    match_metadata: Text | None = None
    issuer: Text | None = None
    audience: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    jwks_url: Text | None = None
    secret: Annotated[SecretStr, Field(min_length=1)] | None = None
    secret_env: Text | None = None
    secret_file: Text | None = None
    signature_header: Header | None = None
    signature_prefix: Annotated[str, Field(max_length=100)] | None = None
    signature_encoding: Encoding | None = None
    timestamp_header: Header | None = None
    event_id_path: Path_ | None = None
    event_path: Path_ | None = None
    subject_path: Path_ | None = None
    revoked_events: Annotated[frozenset[Text], Field(min_length=1)] | None = None


FIELDS = tuple(SignalTable.model_fields)


def read_source(
    key: str,
    table: Mapping[str, object],
    providers: Mapping[str, Provider],
    folder: Path,
    *,
    allow_loopback: bool,
) -> SignalSource | list[str]:
    """Returns the source, or what is wrong with its table; raises `SecretMissing`."""
    if key not in providers:
        return [f'no provider is called "{key}"{did_you_mean(key, providers)}']
    try:
        read = SignalTable.model_validate(table)
        missing = [
            f"{name} is missing" for name in NEEDED[read.kind] if getattr(read, name) is None
        ]
        secret = find_secret(read, SECRETS, folder)
    except ValidationError as error:
        return sentences(error, FIELDS)
    except SecretMissing:
        raise
    except Fault as fault:
        return [str(fault)]
    if read.kind is SourceKind.HMAC and secret is None:
        missing.append("secret is missing: give secret, secret_env or secret_file")
    if read.jwks_url is not None:
        missing += url_faults("jwks_url", read.jwks_url, allow_loopback=allow_loopback)
    if missing:
        return missing
    given = {name: getattr(read, name) for name in read.model_fields_set if name not in SECRETS}
    return SignalSource(provider=key, secret=secret, **given)
