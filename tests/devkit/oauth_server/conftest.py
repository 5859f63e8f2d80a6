"""The OAuth server over a real socket, with a client that knows its secret and an account."""

from collections.abc import Iterator

import httpx
import pytest

from refresher.devkit.oauth_server import FakeProvider, IssuedGrant
from tests import loopback

CLIENT = ("fake-client", "fake-secret")


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A provider of this test's own, on a free port."""
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def http(provider: FakeProvider) -> Iterator[httpx.Client]:
    """A client that sends the right credentials."""
    with loopback.client(base_url=provider.url, auth=CLIENT) as client:
        yield client


@pytest.fixture
def grant(provider: FakeProvider) -> IssuedGrant:
    """One account with a refresh token."""
    return provider.admin.create_grants(1)[0]
