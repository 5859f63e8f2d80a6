"""Finds the host and the placeholders of a connection in what another system noted beside it. Pure.

No table by provider: our own entry says what a host looks like (`host_pattern`, `host_example`), and a
value of theirs fits as it is, as a URL's host, or as the first part of such a host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from refresher.rules.providers import Provider

HOST_NAMES = (
    *("hostname", "host", "domain", "instance_url", "instanceUrl", "api_domain", "api_url"),
    *("api_endpoint", "base_url", "account_url", "instanceEndpoint", "instanceName", "extension"),
    *("subdomain", "shop", "shop_name", "store", "tenant", "tenantId", "tenant_id", "tid"),
    *("your-domain", "COMPANYDOMAIN", "companyDomain", "site_name", "account_id", "accountId"),
    *("region", "dc", "accounts-server", "server_location", "your_server"),
)
"""What systems call it, the plainest first."""


def found(provider: Provider, told: Mapping[str, object]) -> dict[str, object]:
    """Returns `host` and `placeholders` of an import line, as far as their values are known."""
    line: dict[str, object] = {}
    if provider.host_pattern is not None:
        host = next(_hosts(provider, told), None)
        line |= {"host": host} if host else {}
    values = {
        name: str(told[name])
        for name, pattern in provider.placeholders.items()
        if re.fullmatch(pattern, str(told.get(name, "")))
    }
    return line | ({"placeholders": values} if values else {})


def _hosts(provider: Provider, told: Mapping[str, object]) -> Iterator[str]:
    pattern = re.compile(provider.host_pattern or "")
    for name in HOST_NAMES:
        value = told.get(name)
        if isinstance(value, str) and value:
            yield from (one for one in _readings(provider, value) if pattern.fullmatch(one))


def _readings(provider: Provider, value: str) -> Iterator[str]:
    """Yields what a value may mean: a URL's host, itself, or the first part of a host."""
    value = urlsplit(value).netloc if "://" in value else value
    yield value
    label, dot, rest = (provider.host_example or "").partition(".")
    if label and dot:
        yield f"{value}.{rest}"
