"""Tells who consented where an entry has it: claims, the code's answer, the callback, userinfo.

Pure. The account at this server is the last part of the id; parts before it are the same for all.
"""

import re
from typing import Any

from refresher.devkit.oauth_server.consent.codes import Consented
from refresher.devkit.oauth_server.consent.identity import profile
from refresher.devkit.oauth_server.consent.request import Pairs
from refresher.devkit.oauth_server.entry.consents import consent_of
from refresher.devkit.oauth_server.entry.places import put
from refresher.rules.providers import Path, Provider

_CLAIM = re.compile(r"\{(\w+)\}")


def account_id(entry: Provider, account: str, host: str | None = None) -> str:
    """Returns the id that an account of this server has by the entry: its parts, joined by `/`."""
    consent = consent_of(entry)
    if [*consent.identity.paths] == [(consent.host_from_callback,)]:
        return host or ""  # where the host is the account, as a shop is
    return "/".join(_part(path, account, entry) for path in consent.identity.paths)


def told_account(entry: Provider, account: str, into: dict[str, Any]) -> dict[str, Any]:
    """Returns an object that tells the account, and what people call it."""
    identity = consent_of(entry).identity
    if identity.label_path:
        put(identity.label_path, profile(account)["email"], into)
    for path in identity.paths:
        put(path, _part(path, account, entry), into)
    return into


def tell(entry: Provider, consented: Consented, into: dict[str, Any]) -> None:
    """Puts into the answer to a code what it tells of account and host."""
    consent = consent_of(entry)
    if consent.host_from_answer and consented.host:
        put(consent.host_from_answer, f"https://{consented.host}", into)
    if "answer" in consent.identity.found_in:
        told_account(entry, consented.account, into)


def claims(entry: Provider, consented: Consented, issuer: str) -> dict[str, Any]:
    """Returns the claims of an id_token, its issuer with those filled in that it names."""
    told = told_account(entry, consented.account, profile(consented.account))
    told |= dict.fromkeys(consent_of(entry).callback_claims.values(), consented.account)
    known = {**told, "host": consented.host or ""}
    return {**told, "iss": _CLAIM.sub(lambda found: str(known.get(found[1], "")), issuer)}


def beside_code(entry: Provider, consented: Consented) -> Pairs:
    """Returns what a callback has besides the code."""
    consent = consent_of(entry)
    told = dict.fromkeys(consent.keep_from_callback, consented.account)
    if "callback" in consent.identity.found_in:
        told |= {str(key): str(v) for key, v in told_account(entry, consented.account, {}).items()}
    if consent.host_from_callback is not None and consented.host is not None:
        told[consent.host_from_callback] = consented.host
    return tuple(told.items())


def _part(path: Path, account: str, entry: Provider) -> str:
    is_last = path == consent_of(entry).identity.paths[-1]
    return account if is_last else f"fake-{path[-1]}"
