"""Settings of the web process: the HTTP API, its keys, and what it may reach."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, LiteralString

from pydantic import BaseModel, Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from refresher.settings.values import Seconds

Quota = Annotated[int, Field(ge=0, le=1_000_000_000)]


class WebSettings(BaseModel):
    """What the web process, its keys and its reach are set by; a part of `Settings`."""

    web_processes: Annotated[int, Field(ge=1, le=64)] = 1
    web_threads: Annotated[int, Field(ge=1, le=128)] = 8
    api_requests_per_second: Annotated[float, Field(ge=0.1, le=1_000_000)] = 1_000.0
    api_max_body_bytes: Annotated[int, Field(ge=1024, le=16_777_216)] = 262_144
    on_demand_interval_seconds: Seconds = 10.0
    """How soon after a failure, or for a token that is refused again, who asks may cause a refresh."""
    allowed_private_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+$")] | None = None
    """Where the web process is reached from outside, such as https://refresher.example."""
    quota_connections: Quota = 0
    quota_webhooks: Quota = 20
    quota_recipients: Quota = 100
    quota_links: Quota = 10_000
    """How many of each an organization may have by API; 0: no limit."""
    hsts_seconds: Annotated[int, Field(ge=0, le=10 * 366 * 86_400)] = 0
    """How long browsers shall reach this host by https only (RFC 6797); 0 says nothing of it."""

    @field_validator("allowed_private_networks", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(_network(text.strip()) for text in value.split(",") if text.strip())


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
