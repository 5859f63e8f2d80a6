"""What an entry of the catalogue keeps for people, and for who starts a consent: no refresh needs it.

`Provider` extends `Facts`. Each field is declared here once, as the others are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # only who checks a table pays for pydantic
    from refresher.rules.field_types import (
        Changes,
        Connect,
        Day,
        NameOrPath,
        Names,
        SomeText,
    )

Category = Literal[
    "accounting",
    "banking",
    "commerce",
    "communication",
    "content",
    "crm",
    "data",
    "design",
    "developer-tools",
    "devices",
    "documents",
    "education",
    "erp",
    "gaming",
    "health",
    "hr",
    "identity",
    "marketing",
    "media",
    "other",
    "payments",
    "productivity",
    "security",
    "social",
    "storage",
    "support",
]
"""What a provider is for, in one word."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a provider has announced."""

    on: date
    """the day from which on it holds"""
    what: str
    """one sentence"""
    url: str
    """where the provider says so"""


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a provider besides how its tokens are refreshed."""

    category: Category | None = None
    """what the provider is for"""
    authorize_url: SomeText | None = None
    """where people are sent for their consent"""
    pkce: Literal["required", "supported", "no"] | None = None
    """whether the consent takes a code challenge (RFC 7636); absent: unknown"""
    authorize_parameters: Names = field(default_factory=_nothing)
    """what the consent is asked with besides, such as `{ access_type = "offline" }`"""
    default_scopes: tuple[SomeText, ...] = ()
    """the scopes without which no refresh token comes"""
    identity_url: SomeText | None = None
    """where an access token says whose it is"""
    identity_field: NameOrPath = ()
    """the account's id in the answer of `identity_url`; without that, in the token's answer"""
    connect: Connect | None = None
    """how a consent is asked for: a table `[connect]`; without it nobody can connect"""
    introspection_url: SomeText | None = None
    """where a token is looked up (RFC 7662)"""
    app_url: SomeText | None = None
    """where an app is registered"""
    changes: Changes = ()
    """what is announced: `[{ on = 2027-02-16, what = "…", url = "https://…" }]`"""
    checked_on: Day | None = None
    """when these facts were held against the provider's documentation"""
    sources: tuple[SomeText, ...] = ()
    """links to that documentation"""
    unsure: tuple[SomeText, ...] = ()
    """the fields that it does not confirm"""
    notes: str = ""
    """what else people should know"""
