"""`AsyncRefresher`: fresh tokens for an application, with asyncio."""

from __future__ import annotations

from refresher.client.asynchronous.apps import AsyncApps
from refresher.client.asynchronous.bulk import AsyncBulk
from refresher.client.asynchronous.connections import AsyncConnections
from refresher.client.asynchronous.sessions import AsyncSessions
from refresher.client.asynchronous.tokens import AsyncTokens
from refresher.client.asynchronous.webhooks import AsyncWebhooks


class AsyncRefresher(AsyncTokens, AsyncConnections, AsyncSessions):
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
    def webhooks(self) -> AsyncWebhooks:
        """Who is told by webhook."""
        return AsyncWebhooks(self)

    @property
    def bulk(self) -> AsyncBulk:
        """One deed for many connections."""
        return AsyncBulk(self)

    @property
    def apps(self) -> AsyncApps:
        """Our OAuth clients at the providers."""
        return AsyncApps(self)
