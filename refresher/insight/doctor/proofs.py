"""Checks how stored apps prove themselves: what one lacks, and which certificates are about to end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from refresher.errors import CannotDecrypt, CatalogueError, SettingsError
from refresher.insight.doctor import Finding, fail, warn
from refresher.rules.clients import ClientCredentials
from refresher.rules.providers import CERTIFIED, Provider
from refresher.rules.reasons import apps_set, page_of
from refresher.rules.words import span
from refresher.runtime import clients
from refresher.runtime.cipher import cipher_from
from refresher.runtime.parts import catalogue_from
from refresher.settings import Settings
from refresher.store import oauth_apps
from refresher.store.oauth_apps import AppView
from refresher.store.session import Database

AHEAD = timedelta(days=30)


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields findings on apps that sign, or have a certificate."""
    try:
        cipher, catalogue = cipher_from(settings), catalogue_from(settings)
    except (SettingsError, CatalogueError):
        return  # told already
    with database.transaction() as db:
        every = oauth_apps.every(db)
        stored = [(view, oauth_apps.find(db, view.provider, view.name)) for view in every]
    for view, app in stored:
        provider = catalogue.get(view.provider)
        if app is None or provider is None or not _proves(view, provider):
            continue
        try:
            client = clients.opened(cipher, app)
        except CannotDecrypt:
            continue  # told by the check of secrets
        yield from _findings(view, provider, client)


def _proves(view: AppView, provider: Provider) -> bool:
    return "certificate" in view.material or provider.signs or provider.client_auth in CERTIFIED


def _findings(view: AppView, provider: Provider, client: ClientCredentials) -> Iterator[Finding]:
    from refresher.rules import app_checks, keys  # noqa: PLC0415  dear, and few apps have a key

    which, command = f"{view.provider}/{view.name}", apps_set(view.provider, view.name)
    page = page_of("apps", view.provider, view.name)
    for sentence in app_checks.lacking(client, provider):
        message = f"the app {which} cannot prove itself: {sentence}"
        yield fail("apps", message, f"{command}, with it", page)
    if client.certificate is None:
        return
    ends, now = keys.end_of(client.certificate), datetime.now(UTC)
    mend = f"{command}, with a new certificate that the provider knows"
    if ends <= now:
        yield fail(
            "apps", f"the certificate of the app {which} ended on {ends:%Y-%m-%d}", mend, page
        )
    elif ends <= now + AHEAD:
        left = span((ends - now).total_seconds())
        message = f"the certificate of the app {which} ends in {left}, on {ends:%Y-%m-%d}"
        yield warn("apps", message, mend, page)
