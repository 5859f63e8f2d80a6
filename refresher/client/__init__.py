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

from refresher.client.asynchronous.refresher import AsyncRefresher
from refresher.client.bulk_jobs import BulkJob, BulkPreview
from refresher.client.connecting import ConnectProblem, ConnectStart, ConnectStatus
from refresher.client.endpoints import Delivery, NewSecret, Webhook, WebhookTest
from refresher.client.links import ResumeLink, ResumeLinkStatus
from refresher.client.looking import Rights
from refresher.client.oauth_apps import App
from refresher.client.synchronous.refresher import Refresher
from refresher.client.values import Connection, Event
from refresher.client.webhook import WebhookEvent, verify_webhook
from refresher.client.which import Account, Which
from refresher.errors import (
    ApiError,
    ApiUnavailable,
    Conflict,
    ConnectRefused,
    InvalidApp,
    InvalidConnection,
    InvalidWebhook,
    NoSuchApp,
    NoSuchConnection,
    NoSuchLink,
    NoSuchSession,
    NoSuchWebhook,
    NotAuthorized,
    RefresherError,
    SettingsError,
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
    "Account",
    "ApiError",
    "ApiUnavailable",
    "App",
    "AsyncRefresher",
    "BulkJob",
    "BulkPreview",
    "Conflict",
    "ConnectProblem",
    "ConnectRefused",
    "ConnectStart",
    "ConnectStatus",
    "Connection",
    "ConnectionAuth",
    "Delivery",
    "Ending",
    "Event",
    "InvalidApp",
    "InvalidConnection",
    "InvalidWebhook",
    "NewSecret",
    "NoSuchApp",
    "NoSuchConnection",
    "NoSuchLink",
    "NoSuchSession",
    "NoSuchWebhook",
    "NotAuthorized",
    "RefreshResult",
    "Refresher",
    "RefresherError",
    "ResumeLink",
    "ResumeLinkStatus",
    "Rights",
    "Secret",
    "Served",
    "SettingsError",
    "TokenUnavailable",
    "UnverifiedWebhook",
    "Webhook",
    "WebhookEvent",
    "WebhookTest",
    "Which",
    "fingerprint",
    "verify_webhook",
]
