"""What an entry says of the assertions that an app signs: JWTs that prove it, or are its grant.

`Provider` extends `Proofs`. What is signed, and how: `assertions.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from refresher.rules.connection import value
from refresher.rules.facts import Facts

if TYPE_CHECKING:  # only who checks a table pays for pydantic
    from refresher.rules.field_types import AssertionLife, Names, SomeText, Switch

Algorithm = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "HS256",
    "HS384",
    "HS512",
]
"""RFC 7518 section 3.1 and RFC 8037 section 3.1."""


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs(Facts):
    """Fields on assertions (RFC 7521)."""

    assertion: Names = field(default_factory=_nothing)
    """claims of the assertion that is the grant; an empty one is left out: `{ sub = "{subject}" }`"""
    client_assertion: Names = field(default_factory=_nothing)
    """claims of the assertion that proves the client, where others than its id are wanted"""
    assertion_audience: SomeText | None = None
    """whom assertions are for (`aud`), if that is not the token endpoint"""
    assertion_seconds: AssertionLife = 300.0
    """how long an assertion is good; each request has its own"""
    signing_algorithm: Algorithm | None = None
    """what signs them, if not what the app's key usually does: `RS256`, `ES256` or `EdDSA`"""
    needs_key_id: Switch = False
    """whether they must name their key: the app's `key_id`"""


@value
class Told:
    """What the entry says of the claims, the connection's own values filled in."""

    audience: str
    grant: Mapping[str, str]
    client: Mapping[str, str]
