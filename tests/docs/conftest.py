"""A provider and an API for the pages that show Python: those of the SDK's tests."""

from tests.client.conftest import place, provider

__all__ = ["place", "provider"]
