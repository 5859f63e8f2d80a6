"""A fake OAuth 2.0 authorization server with faults on demand and a ledger of what it did.

Run it as a process (`python -m refresher.testing.fake_provider --port 0`) or inside a test
(`with FakeProvider(Options(rotation="always")) as provider: ...`). Reading order: `grants.py`
(which token is good), `faults.py`, `ledger.py`, `token_endpoint.py` (one request, start to end).
"""

from refresher.testing.fake_provider.background import FakeProvider
from refresher.testing.fake_provider.client import FakeProviderClient, FakeProviderRefused
from refresher.testing.fake_provider.faults import FaultRule
from refresher.testing.fake_provider.options import Options
from refresher.testing.fake_provider.records import (
    Check,
    EventRecord,
    GrantRecord,
    HeldTokens,
    IssuedGrant,
    Summary,
)

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
