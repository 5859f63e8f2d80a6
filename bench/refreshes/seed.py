"""Fills the database with connections, through the one door that every import takes."""

from __future__ import annotations

from collections.abc import Iterator

from bench.refreshes.plan import BenchFailed
from refresher.connections.oauth_apps import sync_apps
from refresher.connections.registration import take
from refresher.rules.connection import Secret
from refresher.rules.registration import NewConnection
from refresher.runtime.services import Services

NAME = "bench"
AT_ONCE = 5_000
ACCESS_TOKEN, REFRESH_TOKEN = Secret("a" * 120), Secret("r" * 64)
PROVIDERS = """\
[providers.{name}]
title = "The benchmark's token endpoint"
token_url = "{url}"
rotation = "always"
access_token_lifetime_seconds = 3600

[apps.{name}]
client_id = "bench-client"
client_secret = "bench-secret"
"""


def providers_toml(url: str) -> str:
    """Returns the providers file that teaches refresher this token endpoint."""
    return PROVIDERS.format(name=NAME, url=url)


def seed(services: Services, connections: int) -> None:
    """Imports so many connections, each with its own sealed pair; none is due for most of an hour."""
    sync_apps(services)
    for chunk in _chunks(connections):
        taken = take(services, chunk)
        if taken.rejected:
            raise BenchFailed(f"a connection was refused: {next(iter(taken.rejected.values()))}")


def _chunks(connections: int) -> Iterator[list[NewConnection]]:
    for first in range(0, connections, AT_ONCE):
        yield [_new(number) for number in range(first, min(first + AT_ONCE, connections))]


def _new(number: int) -> NewConnection:
    return NewConnection(
        organization_id=NAME,
        provider=NAME,
        external_id=f"account-{number}",
        access_token=ACCESS_TOKEN,
        refresh_token=REFRESH_TOKEN,
        expires_in_seconds=3600.0,
    )
