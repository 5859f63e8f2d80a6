"""What refresher itself fills into an entry's parameters, headers and query, such as `{access_token}`.

These names are reserved: no entry declares one. None ever stands in the part of a URL that says where a
request goes, so that no secret is written down where URLs are.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.placeholders import HOST, UnbuildableRequest, brought, named_in, values
from refresher.rules.providers import Provider

OF_THE_CLIENT = frozenset({"client_id", "client_secret", "client_basic"})
TOKEN = "token"
RESERVED = OF_THE_CLIENT | {"access_token", "refresh_token", TOKEN, "scope", "now", "uuid"}
SECRETS = frozenset({"client_secret", "client_basic", "access_token", "refresh_token", TOKEN})


class Stamp(NamedTuple):
    """What makes one request another than the one before: the time, and a number of its own."""

    now_epoch_seconds: float
    unique: str


class Filling:
    """The values for one request; those that it does not name cost nothing."""

    __slots__ = ("_client", "_draw", "_scope", "_stamp", "_tokens", "_whose")

    def __init__(
        self,
        whose: str,
        client: ClientCredentials | None,
        tokens: Mapping[str, Secret | None],
        scope: str,
        draw: Callable[[], Stamp] | None,
    ) -> None:
        self._whose, self._client, self._tokens = whose, client, tokens
        self._scope, self._draw = scope, draw
        self._stamp: Stamp | None = None

    def value(self, name: str) -> str | None:
        """Returns the value of a reserved name, None for another.

        Raises `UnbuildableRequest` where the connection or its app lacks it.
        """
        if name not in RESERVED:
            return None
        if name == "scope":
            return self._scope
        if name in OF_THE_CLIENT:
            return self._of_the_client(name)
        if name in {"now", "uuid"}:
            return self._stamped(name)
        token = self._tokens.get(name)
        if not token:
            raise UnbuildableRequest(f"the connection stores no {name.replace('_', ' ')}")
        return token.reveal()

    def _of_the_client(self, name: str) -> str:
        if self._client is None:
            raise UnbuildableRequest(f"no app is configured for provider {self._whose}")
        if name == "client_id":
            return self._client.client_id
        if not self._client.client_secret:
            raise UnbuildableRequest(f"{{{name}}} is asked for, but the app has no client secret")
        secret = self._client.client_secret.reveal()
        if name == "client_secret":
            return secret
        return b64encode(f"{self._client.client_id}:{secret}".encode()).decode()

    def _stamped(self, name: str) -> str:
        if self._stamp is None:
            assert self._draw is not None
            self._stamp = self._draw()
        return str(int(self._stamp.now_epoch_seconds)) if name == "now" else self._stamp.unique


def tokens_named(*tables: Mapping[str, str]) -> frozenset[str]:
    """Returns which stored tokens the values of these tables name, so that only those are opened."""
    texts: Iterable[str] = (text for table in tables for text in table.values())
    return frozenset({"access_token", "refresh_token"}.intersection(named_in(texts)))


def check_values(
    provider: Provider,
    host: str | None,
    placeholders: Mapping[str, str],
    of_app: Collection[str],
) -> None:
    """Raises `UnbuildableRequest` where a connection lacks a good value for any request.

    Values that it does not bring itself are not asked for where its app, or the entry, has them.
    """
    urls = _asked(tuple(url for url in _urls(provider) if url))
    elsewhere = _asked(tuple(text for table in tables(provider) for text in table.values()))
    if not (urls or elsewhere):
        return
    host, known = brought(provider, host, placeholders, {})
    besides = {name for name in of_app if not (host if name == HOST else known.get(name))}
    for names, in_url in ((urls, True), (elsewhere, False)):
        values(provider, [n for n in names if n not in besides], host, known, in_url=in_url)


@lru_cache(maxsize=4_096)
def _asked(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Returns what an entry's texts ask of whoever brings values: a million lines ask the same."""
    return tuple(name for name in named_in(texts) if name not in RESERVED)


def tables(provider: Provider) -> tuple[Mapping[str, str], ...]:
    """Returns the tables of an entry whose values may name placeholders."""
    return *sent(provider), *claims(provider)


def sent(provider: Provider) -> tuple[Mapping[str, str], ...]:
    """Returns those that are sent as they are."""
    return (
        *(provider.parameters, provider.headers, provider.query),
        *(provider.revocation_parameters, provider.revocation_headers),
    )


def claims(provider: Provider) -> tuple[Mapping[str, str], ...]:
    """Returns the tables of what is signed."""
    audience = provider.assertion_audience
    return (
        provider.assertion,
        provider.client_assertion,
        {"assertion_audience": audience} if audience else {},
    )


def _urls(provider: Provider) -> tuple[str | None, ...]:
    return provider.refresh_url or provider.token_url, provider.revocation_url
