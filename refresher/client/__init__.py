"""What applications import: fresh tokens in one line, over HTTP or straight from the database.

    refresher = Refresher(api_url="https://refresher.example.com", api_key="rfr_…")
    refresher = Refresher(database_url="postgresql://…", encryption_keys="…")

    with httpx.Client(auth=refresher.auth(connection_id)) as provider:
        provider.get("https://api.example.com/me")

`AsyncRefresher` is the same for asyncio. Importing this loads the standard library alone: httpx comes
with the first request or auth, a database driver with the direct mode. The errors are those of
`refresher.errors`. docs/sdk.md.
"""

from typing import TYPE_CHECKING

from refresher.client.aio import AsyncRefresher
from refresher.client.connecting import ConnectProblem, ConnectStart, ConnectStatus
from refresher.client.sync import Refresher
from refresher.client.values import Connection, Event
from refresher.client.webhook import WebhookEvent, verify_webhook
from refresher.errors import (
    ApiError,
    ApiUnavailable,
    Conflict,
    ConnectRefused,
    InvalidConnection,
    NoSuchConnection,
    NoSuchSession,
    NotAuthorized,
    RefresherError,
    TokenUnavailable,
    UnverifiedWebhook,
)
from refresher.rules.connection import Secret
from refresher.rules.served import RefreshResult, Served, fingerprint

if TYPE_CHECKING:
    from refresher.client.auth import ConnectionAuth
else:

    def __getattr__(name: str) -> object:
        if name == "ConnectionAuth":
            from refresher.client.auth import ConnectionAuth

            return ConnectionAuth
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


Ending = RefreshResult
"""What `RefreshResult` was called before."""

__all__ = [
    "ApiError",
    "ApiUnavailable",
    "AsyncRefresher",
    "Conflict",
    "ConnectProblem",
    "ConnectRefused",
    "ConnectStart",
    "ConnectStatus",
    "Connection",
    "ConnectionAuth",
    "Ending",
    "Event",
    "InvalidConnection",
    "NoSuchConnection",
    "NoSuchSession",
    "NotAuthorized",
    "RefreshResult",
    "Refresher",
    "RefresherError",
    "Secret",
    "Served",
    "TokenUnavailable",
    "UnverifiedWebhook",
    "WebhookEvent",
    "fingerprint",
    "verify_webhook",
]
