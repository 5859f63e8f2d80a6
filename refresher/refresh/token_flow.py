"""The steps of "give me a fresh token" and "refresh now", as generators without I/O.

They yield what they want to know or have done, and are sent the answer; so threads and asyncio drive
one and the same story. Each look at the row is followed by the decision of `rules/serving.py`.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from refresher.errors import CannotDecrypt, TokenUnavailable
from refresher.outbound.turns import Parties
from refresher.rules import serving
from refresher.rules.connection import ParkReason, Secret
from refresher.rules.kept_fields import from_secret_text
from refresher.rules.served import RefreshResult, Served, fingerprint
from refresher.rules.serving import Ask, DueRow, Refresh, Refuse, Serve, Stored, Wait
from refresher.rules.unavailable import SENTENCES, Reason, Why
from refresher.runtime.services import Services
from refresher.store.serving import TokenAndRow, Wanted

CLAIM_LOST_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class ReadToken:
    """Read the stored token: a `Stored`, or None; of another organization's there is none."""

    connection_id: UUID
    organization_id: str | None

    @property
    def wanted(self) -> Wanted:
        """What the statement asks for."""
        return self.connection_id, self.organization_id


class ReadWhole(ReadToken):
    """Read token and schedule row in one snapshot: a `TokenAndRow`, or None."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ReadSlots:
    """Read which slots a connection has: a `SlotNames`."""

    root_id: UUID


@dataclass(frozen=True, slots=True)
class ReadOutcome:
    """Read how a lease ended: a `RefreshResult`, or None when it ended without an outcome."""

    root_id: UUID
    lease_token: int


@dataclass(frozen=True, slots=True)
class Try:
    """Claim and refresh here: a `RefreshResult`; None when the claim was lost or `until` is over."""

    root_id: UUID
    lease_token: int
    until: float
    whose: Parties
    """Its organization and provider: neither has all the places."""


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until this lease has ended or `until` (monotonic) is over: a `RefreshResult` if ours."""

    root_id: UUID
    lease_token: int
    until: float


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait a moment: another's claim is being committed."""

    seconds: float


Reads = ReadToken | ReadWhole | ReadSlots | ReadOutcome
Pending = Try | Await
Step = Reads | Pending | Sleep


def token(
    services: Services, connection_id: UUID, ask: Ask, wait_seconds: float
) -> Generator[Step, Any, Served]:
    """Returns a token that will do, after a refresh or a wait if need be."""
    stored: Stored | None = yield ReadToken(connection_id, ask.organization_id)
    judged = _judged(services, connection_id, stored, ask)
    if isinstance(judged, Served) and judged.old_access_token_survives:
        return judged
    until = time.monotonic() + wait_seconds
    late, tried = False, None
    while True:
        whole: TokenAndRow | None = yield ReadWhole(connection_id, ask.organization_id)
        judged = _judged(services, connection_id, whole.stored if whole else None, ask)
        assert whole is not None
        survives = _survives(services, whole.stored)
        if isinstance(judged, Served):
            if not serving.is_dying(whole.row, survives=survives):
                return judged
            judged = serving.Need.DYING
        interval = services.settings.on_demand_interval_seconds
        root = whole.stored.root_id
        match serving.next_step(
            judged, whole.stored, whole.row,
            interval_seconds=interval, late=late, tried=tried, survives=survives,
        ):  # fmt: skip
            case Serve() as serve:
                return _served(services, whole.stored, serve)
            case Refuse(reason, detail, retry):
                raise unavailable(connection_id, reason, detail, retry)
            case Wait(lease_token):
                yield Await(root, lease_token, until)
            case Refresh(lease_token):
                ending: RefreshResult | None = yield Try(root, lease_token, until, _parties(whole))
                if ending is None:
                    yield Sleep(CLAIM_LOST_SECONDS)
                else:
                    tried = ending.outcome
        late = time.monotonic() >= until


def refresh(
    connection_id: UUID, wait_seconds: float, organization_id: str | None = None
) -> Generator[Step, Any, RefreshResult]:
    """Returns how a refresh of ours ended, or the one that was under way."""
    until = time.monotonic() + wait_seconds
    while True:
        whole: TokenAndRow | None = yield ReadWhole(connection_id, organization_id)
        living(connection_id, whole.stored if whole else None, organization_id)
        assert whole is not None
        root, row = whole.stored.root_id, whole.row
        ending: RefreshResult | None = None
        _check_consent(connection_id, row)
        match row.state:
            case "leased":
                ending = yield Await(root, row.lease_token, until)
                if ending is None:
                    ending = yield ReadOutcome(root, row.lease_token)
            case "idle":
                _check_pace(connection_id, row)
                ending = yield Try(root, row.lease_token, until, _parties(whole))
                if ending is None:
                    yield Sleep(CLAIM_LOST_SECONDS)
            case "parked" | "none":
                raise unavailable(connection_id, ParkReason(row.parked_reason or "missing"))
        if ending is not None and ending.outcome == "postponed":
            whole = yield ReadWhole(connection_id, organization_id)
            _check_pace(connection_id, whole.row if whole else row)
        if ending is not None:
            return ending
        if time.monotonic() >= until:
            raise unavailable(connection_id, Why.STILL_REFRESHING, None, serving.SOON_SECONDS)


def _check_pace(connection_id: UUID, row: DueRow) -> None:
    held = serving.held_back(row) if row.state == "idle" else None
    if held is not None and held.reason is Why.PACED:
        raise unavailable(connection_id, held.reason, None, held.retry_after_seconds)


def _check_consent(connection_id: UUID, row: DueRow) -> None:
    if soon := serving.while_consented(row):
        raise unavailable(connection_id, soon.reason, soon.detail, soon.retry_after_seconds)


def _parties(whole: TokenAndRow) -> Parties:
    return whole.stored.organization_id, whole.row.provider


def unavailable(
    connection_id: UUID, reason: Reason, detail: str | None = None, retry: float | None = None
) -> TokenUnavailable:
    """Returns the exception with its sentence."""
    why = f" ({detail})" if detail else ""
    sentence = f"connection {connection_id}: {SENTENCES[reason]}{why}"
    return TokenUnavailable(reason.value, sentence, retry_after_seconds=retry)


def living(connection_id: UUID, stored: Stored | None, organization_id: str | None) -> Stored:
    """Returns what is stored; raises `TokenUnavailable` where it is nobody's, or deleted."""
    if stored is None or organization_id not in {None, stored.organization_id}:
        raise unavailable(connection_id, Why.NO_SUCH_CONNECTION)
    if stored.deleted:
        raise unavailable(connection_id, ParkReason.DELETED)
    return stored


def _judged(
    services: Services, connection_id: UUID, given: Stored | None, ask: Ask
) -> Served | serving.Need:
    """Returns the token when it will do as it is, else why not."""
    stored = living(connection_id, given, ask.organization_id)
    opened = None
    if ask.rejected is not None and stored.access_token is not None:
        opened = _open(services, stored)
    rejected = opened is not None and fingerprint(opened) == ask.rejected
    need = serving.needs(stored, ask, rejected=rejected)
    return need or _served(services, stored, serving.as_stored(stored), opened)


def _open(services: Services, stored: Stored) -> Secret:
    assert stored.access_token is not None
    try:
        return services.cipher.open(stored.access_token, stored.root_id, "access_token")
    except CannotDecrypt as error:
        raise unavailable(stored.connection_id, ParkReason.UNDECRYPTABLE) from error


def _served(
    services: Services, stored: Stored, serve: Serve, opened: Secret | None = None
) -> Served:
    return Served(
        connection_id=stored.connection_id,
        root_id=stored.root_id,
        access_token=opened or _open(services, stored),
        expires_at=stored.expires_at,
        expires_in_seconds=stored.left_seconds,
        scopes=stored.scopes,
        credential_version=stored.credential_version,
        stale=serve.stale is not None,
        reason=serve.stale.value if serve.stale else None,
        detail=serve.detail,
        kept_fields=_kept_fields(services, stored),
        old_access_token_survives=_survives(services, stored),
    )


def _survives(services: Services, stored: Stored) -> bool:
    entry = services.catalogue.get(stored.provider)
    return entry is None or entry.old_access_token_survives


def _kept_fields(services: Services, stored: Stored) -> Mapping[str, str | int | float | bool]:
    """Returns the fields that are served beside the token, those that are sealed opened."""
    fields = stored.kept_fields or {}
    if stored.kept_secrets is None:
        return fields
    try:
        secrets = services.cipher.open(stored.kept_secrets, stored.root_id, "kept_secrets")
    except CannotDecrypt:  # the token itself was opened, and is what was asked for
        return fields
    return {**fields, **from_secret_text(secrets)}
