"""Where a plug-in makes the request of an attempt, and reads its reply: on the thread that refreshes.

Never on the loop that sends for all; what a plug-in does wrong is its connection's trouble alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit, urlunsplit

from refresher.catalogue.plugins import installed
from refresher.outbound.sender import Wire
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Connection, Secret
from refresher.rules.fillings import Filling, Stamp
from refresher.rules.outcomes import Reply
from refresher.rules.placeholders import brought, filled
from refresher.rules.plugins import Given, Wanted, ask, translated
from refresher.rules.providers import BodyForm, Provider
from refresher.rules.requests import TokenRequest, checked_headers, resolve_url


def request(
    provider: Provider,
    connection: Connection,
    client: ClientCredentials | None,
    tokens: Mapping[str, Secret | None],
    stamp: Stamp,
) -> Wire:
    """Returns what a plug-in wants to be sent; raises `UnbuildableRequest`, naming it."""
    of_app = client.placeholders if client else {}
    host, own = brought(provider, connection.host, connection.placeholders, of_app)
    scope = provider.scope_separator.join(connection.scopes)
    ours = Filling(provider.name, client, tokens, scope, lambda: stamp).value
    given = Given(
        provider=provider.name,
        url=resolve_url(provider, host, placeholders=own),
        client_id=client.client_id if client else None,
        client_secret=client.client_secret if client else None,
        access_token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        scopes=connection.scopes,
        parameters=filled(provider, provider.parameters, host, own, ours),
        now_epoch_seconds=stamp.now_epoch_seconds,
        nonce=stamp.unique,
    )
    name = provider.plugin or ""
    wanted = ask(name, installed(name), given)
    headers = checked_headers(filled(provider, provider.headers, host, own, ours))
    query = filled(provider, provider.query, host, own, ours)
    return _wire(given.url, wanted, headers, query)


def _wire(url: str, wanted: Wanted, headers: Mapping[str, str], query: Mapping[str, str]) -> Wire:
    """Returns a request as it is sent: what stands in its query is not remembered with the URL."""
    parts, added = urlsplit(url), urlencode({**query, **wanted.query})
    whole = urlunsplit(parts._replace(query="&".join(p for p in (parts.query, added) if p)))
    headers = {"Accept": "application/json", **headers, **wanted.headers}
    plain = TokenRequest(wanted.method, url, headers, BodyForm.FORM, {})
    return Wire(plain, whole, headers, wanted.body, wanted.method)


def read(provider: Provider, reply: Reply) -> Reply:
    """Returns the reply as the entry's plug-in reads it; raises `PluginFailed`."""
    if provider.plugin is None:
        return reply
    return translated(provider.plugin, installed(provider.plugin), reply)
