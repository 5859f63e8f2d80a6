"""The types of settings: durations in seconds, shares, counts, lists with commas between."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, LiteralString

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

Seconds = Annotated[float, Field(gt=0, le=366 * 86_400)]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Factor = Annotated[float, Field(ge=1, le=10)]
Port = Annotated[int, Field(ge=0, le=65535)]
QuotaCount = Annotated[int, Field(ge=0, le=1_000_000_000)]
Domain = Annotated[str, StringConstraints(to_lower=True)]


def _not_reserved(schema: str) -> str:
    if schema.startswith("pg_") or schema == "information_schema":
        raise ValueError("PostgreSQL keeps such names for itself")
    return schema


Schema = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$-]*$", max_length=63),
    AfterValidator(_not_reserved),
]


def _split(value: object) -> object:
    """Returns the parts of a text with commas, without the blanks around them."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _networks(value: object) -> object:
    parts = _split(value)
    return (
        tuple(map(_network, parts))
        if isinstance(value, str) and isinstance(parts, tuple)
        else parts
    )


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise _fault('"{text}" is no network: write 10.1.0.0/16, or one address', text) from None
    if network.prefixlen == 0:
        raise _fault("{text} is every address there is: name the networks that are meant", text)
    return network


def _fault(sentence: LiteralString, text: str) -> PydanticCustomError:
    return PydanticCustomError("network", sentence, {"text": text})


SPLIT = BeforeValidator(_split)
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)]
