"""A fake OAuth 2.0 authorization server with faults on demand and a ledger of what it did.

Run it as a process (`python -m refresher.devkit.oauth_server --port 0`) or inside a test
(`with FakeProvider(Options(rotation="always")) as provider: ...`). Reading order: `grants.py`
(which token is good), `options.py` (how it behaves, its faults), `ledger.py`, `token_endpoint.py`
(one request, start to end).
"""

from refresher.devkit.oauth_server.client import FakeProviderClient, FakeProviderRefused
from refresher.devkit.oauth_server.faults import FaultRule
from refresher.devkit.oauth_server.ledger import (
    Check,
    EventRecord,
    GrantRecord,
    HeldTokens,
    IssuedGrant,
    Summary,
)
from refresher.devkit.oauth_server.options import Options
from refresher.devkit.oauth_server.server import FakeProvider

__all__ = [
    "Check",
    "EventRecord",
    "FakeProvider",
    "FakeProviderClient",
    "FakeProviderRefused",
    "FaultRule",
    "GrantRecord",
    "HeldTokens",
    "IssuedGrant",
    "Options",
    "Summary",
]
