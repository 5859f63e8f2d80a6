"""A small client for the admin routes: what a test or the demo says to a provider, in typed values.

Synchronous, one method per route. It never asks for tokens by OAuth: that is the business of the
system under test.
"""

import ssl
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any, Self, TypeVar

import httpx
import orjson

from refresher.devkit.oauth_server.faults import FaultKind, FaultRule
from refresher.devkit.oauth_server.ledger import (
    Check,
    GrantRecord,
    HeldTokens,
    IssuedGrant,
    Summary,
)
from refresher.devkit.oauth_server.options import read_as

T = TypeVar("T")

_TIMEOUT_SECONDS = 60
_CHECKED_AT_ONCE = 5_000


class FakeProviderRefused(RuntimeError):
    """The provider refused an admin request; the message is its one sentence why."""


class FakeProviderClient:
    """Arranges and questions a fake provider that runs at `url`, in this process or another."""

    def __init__(self, url: str) -> None:
        """Opens no connection until the first call."""
        self.url = url.rstrip("/")
        # On the loopback, neither the machine's proxies nor its certificates (30 ms to load) help.
        self._http = httpx.Client(
            base_url=self.url,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    def create_grants(self, count: int = 1, **order: object) -> list[IssuedGrant]:
        """Consents on behalf of `count` new accounts; further fields as in `GrantOrder`."""
        return read_as(list[IssuedGrant], self._call("POST", "grants", {"count": count, **order}))

    def grant_again(self, external_ids: Sequence[str], **order: object) -> list[IssuedGrant]:
        """Consents anew on behalf of known accounts, as a user who reconnects does."""
        wanted = {"external_ids": list(external_ids), **order}
        return read_as(list[IssuedGrant], self._call("POST", "grants", wanted))

    def options(self) -> dict[str, Any]:
        """Returns every option but the secret."""
        return read_as(dict[str, Any], self._call("GET", "options"))

    def change_options(self, **patch: object) -> dict[str, Any]:
        """Changes options from the next request on; returns them all."""
        return read_as(dict[str, Any], self._call("PATCH", "options", patch))

    def add_fault(self, kind: FaultKind, **rule: Any) -> None:
        """Puts a rule on the board; fields as in `FaultRule`, such as probability or count."""
        self._call("POST", "faults", asdict(FaultRule(kind, **rule)))

    def faults(self) -> list[dict[str, Any]]:
        """Returns the rules in force, each with how often it has `seen` a request and `struck`."""
        return read_as(list[dict[str, Any]], self._call("GET", "faults"))

    def clear_faults(self) -> None:
        """Takes every rule off the board."""
        self._call("DELETE", "faults")

    def set_client_secret(self, client_secret: str, client_id: str | None = None) -> None:
        """Changes the secret the provider expects; without an id, its first client's."""
        self._call("POST", "client", {"client_secret": client_secret, "client_id": client_id})

    def set_public_key(self, pem: str, client_id: str | None = None) -> None:
        """Tells the key by which a client's assertions are verified; as for secrets."""
        self._call("POST", "client", {"public_key": pem, "client_id": client_id})

    def revoke(self, external_id: str) -> bool:
        """Withdraws an account's consent; returns False where there was none."""
        told = read_as(dict[str, bool], self._call("POST", "revoke", {"external_id": external_id}))
        return told["revoked"]

    def advance_clock(self, advance_seconds: float) -> None:
        """Moves the provider's time; tokens age with it."""
        self._call("POST", "clock", {"advance_seconds": advance_seconds})

    def summary(self) -> Summary:
        """Returns the totals."""
        return read_as(Summary, self._call("GET", "ledger/summary"))

    def grants(self, page_size: int = 1_000) -> Iterator[GrantRecord]:
        """Yields every account in the ledger, asking page by page."""
        after: int | None = 0
        while after is not None:
            page: Any = self._call("GET", f"ledger/grants?after={after}&limit={page_size}")
            yield from read_as(list[GrantRecord], page["grants"])
            after = page["next_after"]

    def check(self, tokens: Iterable[HeldTokens]) -> Iterator[Check]:
        """Yields the referee's word on stored tokens, in their order, 5,000 a request."""
        remaining = iter(tokens)
        while batch := list(islice(remaining, _CHECKED_AT_ONCE)):
            yield from read_as(list[Check], self._call("POST", "check", {"tokens": batch}))

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    def _call(self, method: str, path: str, body: object = None) -> object:
        content = None if body is None else orjson.dumps(body)
        reply = self._http.request(method, f"/admin/{path}", content=content)
        told: Any = orjson.loads(reply.content)
        if reply.is_error:
            raise FakeProviderRefused(told["error"])
        return told
