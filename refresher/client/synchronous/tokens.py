# Made of asynchronous/tokens.py by `make client`: change that one.
"""Fresh tokens, and what puts them into requests."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from refresher.client import operations
from refresher.client.opened import Opened
from refresher.client.token_steps import REMEMBER_SECONDS
from refresher.client.which import Which
from refresher.rules.served import RefreshResult, Served

if TYPE_CHECKING:
    from refresher.client.auth import ConnectionAuth


class Tokens(Opened):
    """What is asked for again and again."""

    def token(
        self,
        which: Which,
        min_ttl_seconds: float = 60.0,
        *,
        wait_seconds: float = 20.0,
        rejected: str | None = None,
        slot: str | None = None,
    ) -> Served:
        """Returns an access token that lives `min_ttl_seconds` more.

        Where the stored one does not, it is refreshed first, within `wait_seconds`; if that cannot be
        had, one that is still valid comes with `stale` and a `reason`. `rejected` is the fingerprint
        of a token that the resource server refused. `slot` names a token beside the main one.
        `token.access_token.reveal()` is the text.

        Raises `TokenUnavailable`, whose `code` and `retry_after_seconds` tell what to do.
        """
        return self._run(operations.token(which, min_ttl_seconds, wait_seconds, rejected, slot))

    def auth(
        self,
        which: Which,
        min_ttl_seconds: float = 60.0,
        *,
        wait_seconds: float = 20.0,
        remember_seconds: float = REMEMBER_SECONDS,
        slot: str | None = None,
    ) -> ConnectionAuth:
        """Returns what httpx, httpx2, requests and aiohttp take: see `ConnectionAuth`.

        That of an `AsyncRefresher` serves their asynchronous clients only.
        """
        ask = partial(self.token, which, min_ttl_seconds, wait_seconds=wait_seconds, slot=slot)
        return self._auth(ask, remember_seconds)

    def headers(
        self,
        which: Which,
        min_ttl_seconds: float = 60.0,
        *,
        wait_seconds: float = 20.0,
        slot: str | None = None,
    ) -> dict[str, str]:
        """Returns the `Authorization` header of one request, for what takes no `auth`.

        It holds a token that ends: ask before each request, and keep none.
        """
        served = self.token(which, min_ttl_seconds, wait_seconds=wait_seconds, slot=slot)
        return {"Authorization": served.header()}

    def refresh(self, which: Which, *, wait_seconds: float = 20.0) -> RefreshResult:
        """Refreshes now, whatever is left, and tells how it ended; waits for who is at it already."""
        return self._run(operations.refresh(which, wait_seconds=wait_seconds))
