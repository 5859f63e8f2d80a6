"""The routes by which a test arranges the provider and reads what happened.

Each reads a frozen value from JSON (`ledger.py`, `options.py`), does one thing to the state, and
answers JSON; a wrong value is a 400 with one sentence. What is read: pages of the ledger, and what is
true of tokens that somebody stored. No OAuth here.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from refresher.devkit.oauth_server.faults import ArmedRule, FaultRule
from refresher.devkit.oauth_server.grants import GrantBook
from refresher.devkit.oauth_server.ledger import (
    Check,
    EventRecord,
    GrantOrder,
    GrantRecord,
    HeldTokens,
    IssuedGrant,
    Ledger,
    Summary,
    TokenCall,
)
from refresher.devkit.oauth_server.options import Mistake, Options, read_as
from refresher.devkit.oauth_server.state import ProviderState, seeded
from refresher.devkit.oauth_server.token_routes import json_response
from refresher.devkit.oauth_server.tokens import AccessClaim, Family, RefreshClaim, fingerprint

COUNTED = (
    *("requests", "requests_in_flight", "issued", "presented_twice", "replayed_in_grace"),
    *("overlapping_requests", "families_revoked", "consents_withdrawn", "tokens_revoked"),
    *("dropped_answers", "resource_ok", "resource_refused", "codes_given", "code_requests"),
    *("codes_exchanged", "codes_sent_twice", "consents_refused", "clients_registered"),
    "userinfo_requests",
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
    is_active = is_owner and book.is_access_active(access, now, options)
    is_usable = is_active
    if refresh:
        is_usable = is_owner and book.is_refresh_usable(refresh, now, options)
    expired = None
    if isinstance(access_claim, AccessClaim):
        expired = max(0.0, now - book.end_of_access_token(access_claim))
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


T = TypeVar("T")

_BREATH_EVERY = 2_000
_PAGE_LIMIT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class _ClientChange:
    client_secret: str | None = None
    client_id: str | None = None
    public_key: str | None = None


@dataclass(frozen=True, slots=True)
class _Account:
    external_id: str


@dataclass(frozen=True, slots=True)
class _ClockShift:
    advance_seconds: float


@dataclass(frozen=True, slots=True)
class _TokensToCheck:
    tokens: list[HeldTokens]


@dataclass(frozen=True, slots=True)
class _Page:
    after: int = 0
    limit: int = 1_000

    def __post_init__(self) -> None:
        if self.after < 0 or not 1 <= self.limit <= _PAGE_LIMIT_MAX:
            message = f"after must be 0 or more, and limit between 1 and {_PAGE_LIMIT_MAX}"
            raise Mistake(message)


class AdminRoutes:
    """`/admin/...`, over one provider's state."""

    def __init__(self, state: ProviderState) -> None:
        """Reads from, and arranges, the given state."""
        self._state = state

    async def show_options(self, _: Request) -> Response:
        """Tells every option but the secret."""
        return json_response(self._state.options.public())

    async def change_options(self, request: Request) -> Response:
        """Changes the options named in the body; tells them all."""
        patch = await _json(request)
        if not isinstance(patch, dict):
            raise Mistake("options must be a JSON object")
        return json_response(self._state.change_options(patch).public())

    async def add_fault(self, request: Request) -> Response:
        """Puts a rule on the board; tells the board."""
        self._state.board.add(read_as(FaultRule, await _json(request)))
        return json_response(_board(self._state.board.armed))

    async def show_faults(self, _: Request) -> Response:
        """Tells the rules in force and how often each has struck."""
        return json_response(_board(self._state.board.armed))

    async def clear_faults(self, _: Request) -> Response:
        """Takes every rule off the board."""
        return json_response({"cleared": self._state.board.clear()})

    async def make_grants(self, request: Request) -> Response:
        """Consents on behalf of accounts; a large order lets other requests through meanwhile."""
        order = read_as(GrantOrder, await _json(request))
        names = order.external_ids
        if names is None:
            names = self._state.next_external_ids(order.prefix, order.count)
        seed = self._state.options.seed if order.seed is None else order.seed
        dice = seeded(f"spread-{names[0] if names else ''}", seed)
        return json_response([self._grant(name, order, dice) async for name in _breathing(names)])

    def _grant(self, external_id: str, order: GrantOrder, dice: random.Random) -> IssuedGrant:
        spread = order.expires_spread_seconds
        issued = self._state.book.grant(
            external_id,
            self._state.clock.now(),
            self._state.options,
            lifetime_seconds=order.lifetime_seconds,
            remaining_seconds=None if spread is None else dice.uniform(*spread),
            has_refresh_token=order.with_refresh_token,
        )
        return IssuedGrant(
            external_id,
            issued.access_token,
            issued.refresh_token,
            issued.expires_in_seconds,
            issued.refresh_token_expires_in_seconds,
        )

    async def set_client(self, request: Request) -> Response:
        """Gives a client a new secret or public key, as its owner does in a provider's console."""
        change = read_as(_ClientChange, await _json(request))
        client_id = change.client_id or self._state.options.client_id
        self._state.set_client(client_id, change.client_secret, change.public_key)
        return json_response({"client_id": client_id})

    async def withdraw(self, request: Request) -> Response:
        """Ends an account's grant, as its user does in a provider's settings."""
        account = read_as(_Account, await _json(request))
        family = self._state.book.accounts.get(account.external_id)
        was_alive = family is not None and family.end("consent_withdrawn")
        if was_alive:
            self._state.ledger.count("consents_withdrawn")
        return json_response({"revoked": was_alive})

    async def advance_clock(self, request: Request) -> Response:
        """Moves the provider's time forward, or back with a negative number."""
        self._state.clock.shift_seconds += read_as(
            _ClockShift, await _json(request)
        ).advance_seconds
        return json_response({"now": self._state.clock.now()})

    async def ledger_summary(self, _: Request) -> Response:
        """Tells the totals."""
        return json_response(summary(self._state.book, self._state.ledger))

    async def ledger_grants(self, request: Request) -> Response:
        """Tells one page of accounts; `next_after` is null on the last one."""
        page = read_as(_Page, dict(request.query_params))
        state = self._state
        families = islice(state.book, page.after, page.after + page.limit)
        rows = [
            grant_record(family, state.book, state.ledger, state.options) for family in families
        ]
        end = page.after + len(rows)
        return json_response(
            {"grants": rows, "next_after": end if end < len(state.book.accounts) else None}
        )

    async def check_tokens(self, request: Request) -> Response:
        """Judges stored tokens, all at one instant; changes nothing."""
        asked = read_as(_TokensToCheck, await _json(request))
        state, now = self._state, self._state.clock.now()
        judged = [
            check(held, state.book, state.options, now) async for held in _breathing(asked.tokens)
        ]
        return json_response(judged)


async def _breathing(items: Iterable[T]) -> AsyncIterator[T]:
    """Yields the items, letting the event loop serve others now and then."""
    for number, item in enumerate(items):
        if number % _BREATH_EVERY == 0:
            await asyncio.sleep(0)
        yield item


async def _json(request: Request) -> object:
    body = await request.body()
    try:
        return orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        message = "the request body is not JSON"
        raise Mistake(message) from error


def _board(armed: list[ArmedRule]) -> list[dict[str, Any]]:
    return [asdict(one.rule) | {"seen": one.seen, "struck": one.struck} for one in armed]
