# Made of asynchronous/refresher.py by `make client`: change that one.
"""`Refresher`: fresh tokens for an application, with threads."""

from __future__ import annotations

from refresher.client.synchronous.apps import Apps
from refresher.client.synchronous.bulk import Bulk
from refresher.client.synchronous.connections import Connections
from refresher.client.synchronous.sessions import Sessions
from refresher.client.synchronous.tokens import Tokens
from refresher.client.synchronous.webhooks import Webhooks


class Refresher(Tokens, Connections, Sessions):
    """Hands out access tokens that are fresh, over HTTP or straight from the database.

    Give `api_url` and `api_key`, or `database_url` and `encryption_keys` (and any other setting of
    docs/settings.md by its name; the environment counts, too). Without arguments the environment's
    REFRESHER_API_URL and REFRESHER_API_KEY count. Safe to share between threads, or tasks; open it
    after a fork, and close it at the end. `http_client` replaces the client for the API, which may take
    `timeout_seconds` to answer, beyond what it was asked to wait.

    `Refresher` is for threads, `AsyncRefresher` for asyncio, with the same methods, awaited. A
    connection is named by its id or by (organization_id, provider, external_id).
    """

    @property
    def webhooks(self) -> Webhooks:
        """Who is told by webhook."""
        return Webhooks(self)

    @property
    def bulk(self) -> Bulk:
        """One deed for many connections."""
        return Bulk(self)

    @property
    def apps(self) -> Apps:
        """Our OAuth clients at the providers."""
        return Apps(self)
