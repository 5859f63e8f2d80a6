"""Compares: what a ledger page shows of a grant, and what is true of tokens somebody stored.

Pure reading of the books; the admin routes send it, `records.py` says what the fields mean.
"""

from datetime import UTC, datetime

from refresher.devkit.oauth_server.grants import GrantBook
from refresher.devkit.oauth_server.ledger import (
    Check,
    EventRecord,
    GrantRecord,
    HeldTokens,
    Ledger,
    Summary,
    TokenCall,
)
from refresher.devkit.oauth_server.options import Options
from refresher.devkit.oauth_server.tokens import AccessClaim, Family, RefreshClaim, fingerprint

COUNTED = (
    *("requests", "requests_in_flight", "issued", "presented_twice", "replayed_in_grace"),
    *("overlapping_requests", "families_revoked", "consents_withdrawn", "tokens_revoked"),
    *("dropped_answers", "resource_ok", "resource_refused"),
)
"""Totals of the ledger that a summary tells as they are."""


def check(held: HeldTokens, book: GrantBook, options: Options, now: float) -> Check:
    """Returns what is true of one account's stored tokens; changes nothing."""
    family = book.accounts.get(held.external_id)
    access, refresh = held.access_token or "", held.refresh_token or ""
    access_claim, refresh_claim = book.claim(access), book.claim(refresh)
    owners = [book.owner(token) for token in (access, refresh) if token]
    is_owner = family is not None and all(
        owner is not None and owner.external_id == held.external_id for owner in owners
    )
    is_active = is_owner and book.is_access_active(access, now)
    is_usable = is_active
    if refresh:
        is_usable = is_owner and book.is_refresh_usable(refresh, now, options)
    expired = None
    if isinstance(access_claim, AccessClaim):
        expired = max(0.0, now - access_claim.expires_at)
    return Check(
        external_id=held.external_id,
        is_owner=is_owner,
        family_alive=family is not None and family.alive,
        access_active=is_active,
        access_is_newest=family is not None
        and isinstance(access_claim, AccessClaim)
        and (access_claim.family, access_claim.serial) == (family.number, family.serial),
        refresh_usable=is_usable,
        refresh_is_newest=family is not None
        and refresh_claim == RefreshClaim(family.number, family.generation),
        expired_for_seconds=expired,
    )


def grant_record(family: Family, book: GrantBook, ledger: Ledger, options: Options) -> GrantRecord:
    """Returns one account's line in the ledger, tokens as fingerprints."""
    access, refresh = book.current_tokens(family, options)
    trail = ledger.trail(family.external_id)
    last = trail.last_request_at
    return GrantRecord(
        external_id=family.external_id,
        access_token_sha256=fingerprint(access),
        refresh_token_sha256=None if refresh is None else fingerprint(refresh),
        alive=family.alive,
        ended_because=family.ended_because,
        generation=family.generation,
        serial=family.serial,
        access_expires_at=_instant(family.access_expires_at),
        requests=trail.requests,
        in_flight=trail.in_flight,
        presented_twice=trail.presented_twice,
        overlapping=trail.overlapping,
        last_request_at=None if last is None else _instant(last),
        events=[_event_record(event) for event in trail.events],
    )


def _event_record(event: TokenCall) -> EventRecord:
    return EventRecord(
        began_at=_instant(event.began_at),
        ended_at=None if event.ended_at is None else _instant(event.ended_at),
        presented=event.presented,
        outcome=event.outcome,
        reason=event.reason,
        fault=event.fault,
        generation=event.generation,
        serial=event.serial,
        delivery=event.delivery,
    )


def summary(book: GrantBook, ledger: Ledger) -> Summary:
    """Returns the totals."""
    return Summary(
        **{name: ledger.totals[name] for name in COUNTED},
        requests_in_flight_max=ledger.in_flight_max,
        refused=dict(ledger.refused),
        faults=dict(ledger.faults),
        requests_per_second=list(ledger.rate.buckets.items()),
        grants=len(book.accounts),
        grants_alive=sum(family.alive for family in book),
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
