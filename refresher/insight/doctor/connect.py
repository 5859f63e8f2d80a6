"""Checks what people connect by: public URL, pages, apps and their redirect URIs, accounts."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence

from refresher.catalogue import Catalogue
from refresher.catalogue.discovery import Unfit
from refresher.errors import RefresherError
from refresher.insight.doctor import Finding, ok, warn
from refresher.insight.self_check import COOKIE, proofs
from refresher.outbound.metadata import ask_ourselves
from refresher.outbound.rendering import TemplateFault
from refresher.rules import redirects
from refresher.rules.consent import why_not
from refresher.rules.outcomes import Reply
from refresher.rules.providers import Provider
from refresher.rules.reasons import page_of
from refresher.runtime.cipher import cipher_from
from refresher.runtime.parts import catalogue_from
from refresher.settings import Settings
from refresher.store import connect, oauth_apps, promotion
from refresher.store.oauth_apps import AppView
from refresher.store.session import Database, Db

PageFaults = Callable[[Settings], Sequence[TemplateFault]]
"""What is wrong with the user's templates of the pages; who knows the pages brings it."""
MOST_TOLD = 20
"""So many apps are told one by one."""
CHECK, PUBLIC_URL, PROXIES = "connect", "REFRESHER_PUBLIC_URL", "REFRESHER_TRUSTED_PROXIES"


def check(settings: Settings, page_faults: PageFaults) -> Iterator[Finding]:
    """Yields findings on the pages of consents, and on the address where they are."""
    if not settings.connect:
        return
    if settings.connect_templates is not None:
        yield from _templates(page_faults(settings))
    if settings.public_url is None:
        yield ok(CHECK, f"{PUBLIC_URL} is not set, so nobody can connect an account by a page")
    elif fault := redirects.public_url_fault(settings.public_url):
        yield warn(CHECK, fault, "set it to the https:// address of the web process")
    else:
        yield _address(settings, settings.public_url)


def _templates(faults: Sequence[TemplateFault]) -> Iterator[Finding]:
    for fault in faults:
        yield warn(
            "connect templates",
            f"{fault.template} does not render: {fault.why}",
            "mend it; until then the built-in one is used",
        )


def _address(settings: Settings, public_url: str) -> Finding:
    """Asks ourselves from outside: whether the public URL leads here, with its cookies."""
    nonce = secrets.token_hex(16)
    url = redirects.address(public_url, f"{redirects.SELF}{nonce}")
    try:
        expected = proofs(cipher_from(settings), nonce)
        reply = ask_ourselves(url, {"Cookie": f"{COOKIE}={nonce}"})
    except (RefresherError, Unfit) as error:
        return warn(CHECK, f"{PUBLIC_URL} could not be asked: {error}", "set it right")
    told = _told(reply)
    if told.get("proof") not in expected:
        why = reply.failure or f"what answers there ({reply.status}) is not this installation"
        mend = f"start `python -m refresher.web`, or set {PUBLIC_URL} to where it is reached"
        return warn(CHECK, f"{public_url} does not lead here: {why}", mend)
    if told.get("cookie") is not True:
        mend = "have the proxy in front hand the Cookie header on for /connect/"
        return warn(CHECK, f"cookies do not arrive through {public_url}: nobody can connect", mend)
    if told.get("proxy_is_trusted") is not True:
        message = f"a proxy in front of {public_url} is not trusted: all people count as one"
        return warn(CHECK, message, f"name its network in {PROXIES}")
    return ok(CHECK, f"{public_url} leads here, and cookies arrive")


def _told(reply: Reply) -> dict[str, object]:
    try:
        told = json.loads(reply.body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def check_tables(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields what is stored: redirect URIs, unknown accounts, apps that are set up wrong."""
    if not settings.connect or settings.public_url is None:
        return
    known = catalogue_from(settings)
    with database.transaction() as db:
        yield from _apps(settings.public_url, known, db)
        yield from _accounts(known, db)
        for provider, count, sentence in connect.set_up_wrong(db, limit=MOST_TOLD):
            message = f"{provider}: {count} connect sessions of this week met a wrong setting"
            yield warn(
                CHECK,
                f"{message}; the last: {sentence}",
                "set its app right there",
                page_of("providers", provider),
            )


def _apps(public_url: str, known: Catalogue, db: Db) -> Iterator[Finding]:
    stored = [(one, known.get(one.provider)) for one in oauth_apps.every(db)]
    apps = [(one, provider) for one, provider in stored if provider is not None]
    for app, provider in apps[:MOST_TOLD]:
        yield _app(public_url, provider, app)
    if len(apps) > MOST_TOLD:
        yield ok(CHECK, f"{len(apps) - MOST_TOLD} more apps: `refresher providers show NAME`")


def _app(public_url: str, provider: Provider, app: AppView) -> Finding:
    whose = f"{app.provider}/{app.name}"
    if why := why_not(provider):
        return ok(CHECK, f"{whose}: nobody can connect by a page: {why}")
    if f"placeholders.{redirects.OWN}" in app.material:
        return ok(CHECK, f"{whose}: it brings a redirect URI of its own")
    if redirects.has_own_hosts(provider):
        return ok(CHECK, f"{whose}: each host has a redirect URI of its own, told when it is used")
    uri = redirects.redirect_uri(public_url, redirects.slug(provider, None))
    if fault := redirects.fault(provider, uri):
        return warn(CHECK, f"{whose}: {fault}", f"set {PUBLIC_URL} to an address that it takes")
    return ok(CHECK, f"{whose}: register the redirect URI {uri}")


def _accounts(known: Catalogue, db: Db) -> Iterator[Finding]:
    able = [name for name, _ in oauth_apps.names(db) if (p := known.get(name)) and p.connect]
    if able and promotion.without_account(db, able, None, after=None, limit=1):
        message = "there are connections whose account nobody knows: no mail has a link for them"
        yield warn(CHECK, message, "`refresher connections learn-accounts` asks their providers")
