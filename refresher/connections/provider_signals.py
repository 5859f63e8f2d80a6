"""Providers' own notices: verified, written down once, and followed by a refresh that finds out.

A notice never ends a connection, however well it is signed: a connection that still works must not
break by a mistake of somebody's. It makes the refresh due now, and the provider's answer to that
refresh (`invalid_grant`, or a fresh token) decides.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import jwt
import orjson
import structlog

from refresher.outbound.key_sets import ALGORITHMS, KeySets
from refresher.rules.signals import (
    CLOCK_SKEW_SECONDS,
    BadSignal,
    Signal,
    SignalSource,
    SourceKind,
    read_claims,
    read_notice,
    verify_hmac,
)
from refresher.runtime.services import Services
from refresher.store import inbound
from refresher.store.session import retrying

REQUIRED = ["iss", "aud", "iat", "jti", "events"]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of a notice: how many connections are checked; `new` is False for a repeat."""

    new: bool
    connections: int = 0


def receive(
    services: Services, keys: KeySets, source: SignalSource, headers: Mapping[str, str], body: bytes
) -> Noted:
    """Takes one notice; waits for nobody's server.

    Raises `BadSignal`; `KeysUnavailable` when it cannot be verified now; `KeysWanted` when its sender's
    keys must be fetched first.
    """
    signal = _verified(keys, source, headers, body)
    noted = retrying(lambda: _note(services, source, signal))
    log.info("signal", provider=source.provider, kind=signal.kind, connections=noted.connections)
    return noted


def _note(services: Services, source: SignalSource, signal: Signal) -> Noted:
    with services.database.transaction() as db:
        if not inbound.note_signal(db, source.provider, signal.event_id, signal.kind):
            return Noted(new=False)
        if not signal.is_check or signal.subject is None:
            return Noted(new=True)
        ids = inbound.accounts(db, source.provider, signal.subject, source.match_metadata)
        reason = f"{signal.kind} ({signal.event_id})"
        inbound.check_soon(db, source.provider, signal.event_id, ids, reason)
        return Noted(new=True, connections=len(ids))


def _verified(
    keys: KeySets, source: SignalSource, headers: Mapping[str, str], body: bytes
) -> Signal:
    now = time.time()
    if source.kind is SourceKind.SECURITY_EVENT_TOKEN:
        return read_claims(_claims(keys, source, body), now)
    verify_hmac(source, headers, body, now)
    try:
        notice = orjson.loads(body)
    except ValueError:
        raise BadSignal("the body is not JSON") from None
    return read_notice(source, notice)


def _claims(keys: KeySets, source: SignalSource, body: bytes) -> dict[str, object]:
    """Returns the claims of a security event token whose signature, issuer and audience are right."""
    text = body.strip()
    try:
        key_id = jwt.get_unverified_header(text).get("kid")
        key = keys.key(source.jwks_url, key_id) if isinstance(key_id, str) else None
        if key is None:
            raise BadSignal("the token names no key of its issuer", genuine=False)
        claims: dict[str, object] = jwt.decode(
            text,
            key,
            algorithms=ALGORITHMS,
            audience=list(source.audience),
            issuer=source.issuer,
            leeway=CLOCK_SKEW_SECONDS,
            options={"require": REQUIRED},
        )
    except jwt.PyJWTError as error:
        sentence = f"the token is not one that {source.issuer} made for us"
        raise BadSignal(f"{sentence} ({type(error).__name__})", genuine=False) from None
    return claims
