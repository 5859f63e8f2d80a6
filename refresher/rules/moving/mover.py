"""Makes import lines of what another system keeps, or says in a sentence why there is none. Pure.

The line is judged like any other afterwards: `rules/registration.py` says what makes a good one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from refresher.errors import InvalidConnection, did_you_mean
from refresher.rules.moving import accounts, composio, nango
from refresher.rules.moving.looks import refuse_other
from refresher.rules.moving.names import HOSTS, NAMES, System
from refresher.rules.moving.places import found
from refresher.rules.moving.theirs import Row, Theirs, at
from refresher.rules.providers import Provider


class Known(Protocol):
    """The providers that there are: `catalogue.Catalogue` is it."""

    @property
    def names(self) -> Collection[str]:
        """Their names."""

    def get(self, name: str) -> Provider | None:
        """Returns one, None where there is none of this name."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How the importer wants it. Tables are ours by theirs, that of all the rest by an empty text.

    `organization` is the one of all connections, `organization_from` the field of theirs that names it.
    """

    organization: str | None = None
    organization_from: str | None = None
    providers: Mapping[str, str] = field(default_factory=dict)
    apps: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)


class Mover:
    """Makes import lines of one system's rows, one after the other."""

    def __init__(
        self,
        system: System,
        wishes: Wishes,
        known: Known,
        nango_key: bytes | None = None,
    ) -> None:
        self._system, self._wishes, self._known = system, wishes, known
        self._nango_key = nango_key
        self._first_client: dict[str, str] = {}

    def line(self, row: object) -> dict[str, object]:
        """Returns an import line; raises `InvalidConnection` with one sentence."""
        if not isinstance(row, dict):
            raise InvalidConnection(
                "it is no JSON object, nor a row with as many fields as the header"
            )
        refuse_other(self._system, row)
        theirs = self._read(row)
        provider = self._provider(theirs)
        line: dict[str, object] = {
            "organization_id": self._organization(row, theirs),
            "provider": provider.name,
            "external_id": theirs.external_id,
            "access_token": theirs.access_token,
            "refresh_token": theirs.refresh_token,
            "app": self._app(theirs, provider),
            "granted_scopes": list(theirs.granted_scopes) if theirs.granted_scopes else None,
            "name": theirs.name,
            "metadata": {**theirs.metadata, "moved_from": str(self._system)},
            **self._place(theirs, provider),
        }
        if theirs.expires_at is not None:
            line["expires_at"] = theirs.expires_at.isoformat()
        return {name: value for name, value in line.items() if value is not None}

    def _read(self, row: Row) -> Theirs:
        match self._system:
            case System.NANGO:
                return nango.read(row, self._nango_key)
            case System.AUTHJS:
                return accounts.authjs(row)
            case System.PYTHON_SOCIAL_AUTH:
                return accounts.python_social_auth(row)
            case System.DJANGO_ALLAUTH:
                return accounts.django_allauth(row)
            case System.SUPABASE:
                return accounts.supabase(row)
            case System.COMPOSIO:
                return composio.read(row)
            case _:
                assert_never(self._system)

    def _provider(self, theirs: Theirs) -> Provider:
        name = theirs.provider
        ours = self._wishes.providers.get(name) or NAMES[self._system].get(name, name)
        provider = self._known.get(ours)
        if provider is None:
            raise InvalidConnection(
                f'their provider "{name[:64]}" is none of ours{did_you_mean(ours, self._known.names)}: '
                f"say which it is by --provider {name[:64]}=NAME, or add it to your providers file"
            )
        return provider

    def _organization(self, row: Row, theirs: Theirs) -> str:
        wishes = self._wishes
        if wishes.organization is not None:
            return wishes.organization
        if wishes.organization_from is not None:
            whose = at(row, wishes.organization_from)
            lacks = f"it has no {wishes.organization_from}, which --organization-from names"
        else:
            whose, lacks = theirs.organization, "it tells of no user that it belongs to"
        if whose is None:
            raise InvalidConnection(f"{lacks}: say --organization NAME for all")
        return whose

    def _app(self, theirs: Theirs, provider: Provider) -> str | None:
        """Returns our name of the client that got it; a second client must be told from the first."""
        apps, client = self._wishes.apps, theirs.client
        named = apps.get(client or "") or apps.get(theirs.provider) or apps.get("")
        if named is not None or client is None:
            return named
        before = self._first_client.setdefault(provider.name, client)
        if before != client:
            raise InvalidConnection(
                f"another OAuth client of {provider.name} got it ({client}, not {before}), and a "
                f"refresh token works only with the client that got it: say --app {client}=NAME "
                "(or --app NAME, if they are the same client)"
            )
        return None

    def _place(self, theirs: Theirs, provider: Provider) -> dict[str, object]:
        told = {**theirs.places}
        wished = self._wishes.hosts.get(theirs.provider) or self._wishes.hosts.get("")
        place = found(provider, {"hostname": wished} if wished else told)
        fallback = HOSTS.get((self._system, theirs.provider))
        if provider.host_pattern is not None and "host" not in place and (wished or fallback):
            place["host"] = wished or fallback
        return place
