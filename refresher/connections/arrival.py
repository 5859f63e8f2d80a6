"""Carries a code to its provider, once, and goes on from the answer that is held until it is settled.

`carry` follows the callback, as a coroutine; `advance` goes on with what anybody held, in any process,
and may be called as often as anybody likes. Nothing stands between the provider's answer and its commit
in the session's row. What it becomes: `promotion.py`. The states: docs/consents.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import structlog

from refresher.connections import consent_steps, promotion
from refresher.connections.consent_steps import Ask, Trying
from refresher.connections.parties import party_of, present_other_secret
from refresher.errors import CannotDecrypt, DatabaseUnavailable, UnknownProvider
from refresher.outbound.exchange import Outgoing
from refresher.outbound.key_sets import KeysWanted
from refresher.rules import codes
from refresher.rules.authorize import Code, Party, code_request, code_url
from refresher.rules.connect import Problem, Session, Trouble
from refresher.rules.connect_steps import SendCode
from refresher.rules.connection import Reply
from refresher.rules.fillings import Stamp
from refresher.rules.held import Held
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.requests import TokenRequest
from refresher.runtime import checkpoints, tracing
from refresher.runtime.services import Services
from refresher.store import connect_steps
from refresher.store.session import retrying

log = structlog.get_logger()
TOTAL_SECONDS = 20.0
"""How long an answer is waited for, its turn included."""
AGAIN_SECONDS = 10.0
"""For so long a code may go once more that has certainly not left."""
TURN_SECONDS = 15.0
"""For so long a code waits for its organization's others: then it is never sent."""
TOO_MANY = Trouble(
    Problem.PROVIDER_TROUBLE, "too many codes of this organization wait for their provider"
)
STORE_SECONDS = 20.0
"""For so long an answer waits for Postgres: no longer than its session counts as exchanging."""
PAUSES_SECONDS = (0.5, 2.0)
"""How soon a step after the code is tried again while the person waits; then the sweep does."""
MOST_STEPS = 5


@dataclass(frozen=True, slots=True)
class _Ready:
    """A code that may leave; `hidden` are texts that nothing may repeat."""

    party: Party
    request: TokenRequest
    hidden: tuple[str, ...]


async def carry(services: Services, ticket: SendCode) -> None:
    """Sends the code of a callback, holds what came, and goes on with it as far as that leads.

    Where Postgres is away the session is left as it stands: its time as exchanging ends by itself.
    """
    place = services.couriers.place(ticket.session.organization_id)
    try:
        if not await _has(place):
            await services.couriers.work(_give_up, services, ticket, TOO_MANY)
            return
        try:
            kept = await _exchanged(services, ticket)
        finally:
            place.release()
        if kept:
            checkpoints.reach("code_held")
            await _patiently(services, ticket.session.id)
    except DatabaseUnavailable as error:
        # An answer that came is lost: the person begins again, and what was stored lives on.
        log.error("a consent is left to itself", session_id=str(ticket.session.id), why=str(error))  # noqa: TRY400


async def _has(place: asyncio.Semaphore) -> bool:
    """Waits for a place, no longer than there is time to send a code afterwards."""
    try:
        async with asyncio.timeout(TURN_SECONDS):
            return await place.acquire()
    except TimeoutError:
        return False


def advance(services: Services, session_id: UUID) -> None:
    """Goes on with what a session holds; two processes may at once. For who waits on a thread."""
    asyncio.run(_advance(services, session_id))


async def _exchanged(services: Services, ticket: SendCode) -> bool:
    """Returns whether an answer is held."""
    ready = await services.couriers.work(_ready, services, ticket)
    if isinstance(ready, Trouble):
        await services.couriers.work(_give_up, services, ticket, ready)
        return False
    checkpoints.reach("code_sending")
    reply = await _sent_once(services, ticket.session, ready)
    checkpoints.reach("code_answered")
    return await services.couriers.work(_keep, services, ticket, ready, reply)


def _ready(services: Services, ticket: SendCode) -> _Ready | Trouble:
    """Returns the request, or why there is none: nothing has left then."""
    attempt = ticket.attempt
    try:
        party = party_of(services, ticket.session, attempt.host)
        secret = party.client.client_secret
        host = codes.callback_host(party.provider, ticket.pairs, attempt.host, secret)
        if isinstance(host, Trouble):
            return host
        party = replace(party, host=host)
        sealed = attempt.verifier
        verifier = services.cipher.open(sealed, attempt.id, "verifier") if sealed else None
        url = attempt.code_url if host == attempt.host else code_url(party)
        given = Code(ticket.code, url, attempt.redirect_uri, verifier)
        stamp = Stamp(time.time(), str(uuid4()))
        request = code_request(party, given, lambda: stamp)
    except (UnbuildableRequest, CannotDecrypt, UnknownProvider) as error:
        return Trouble(Problem.APP_WRONG, str(error))
    return _Ready(party, request, tuple(s.reveal() for s in (ticket.code, verifier) if s))


async def _sent_once(services: Services, session: Session, ready: _Ready) -> Reply:
    """Returns the answer to a code; it goes a second time only where the first has not left (C15)."""
    began = time.monotonic()
    reply = await _asked(services, session, ready.party, ready.request)
    if not codes.may_go_again(reply) or time.monotonic() - began > AGAIN_SECONDS - 1:
        return reply
    await asyncio.sleep(1.0)
    return await _asked(services, session, ready.party, ready.request)


async def _asked(
    services: Services, session: Session, party: Party, request: TokenRequest
) -> Reply:
    """Returns the reply of somebody else's server, by the rules of every request (C16)."""
    outgoing = Outgoing(session.id, request, TOTAL_SECONDS, session.organization_id)
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            reply = await services.exchange.ask(outgoing)
    except TimeoutError:
        reply = Reply(failure="timeout", elapsed_seconds=TOTAL_SECONDS)
    services.meter.replied([(party, reply)])
    tracing.exchanged([(party, reply)])
    return reply


def _keep(services: Services, ticket: SendCode, ready: _Ready, reply: Reply) -> bool:
    """Commits the whole answer before anybody is asked anything (C17); False where there is none."""
    provider, attempt, session = ready.party.provider, ticket.attempt, ticket.session
    trouble = codes.refusal(provider, reply, time.time(), ready.hidden)
    if trouble is not None:
        if trouble.code is Problem.APP_WRONG:
            present_other_secret(services, session)
        _give_up(services, ticket, trouble)
        return False
    held = Held(
        first=reply,
        asked=tuple(attempt.scopes),
        host=ready.party.host,
        nonce_hash=attempt.nonce_hash,
        callback=codes.kept_of_callback(provider, ticket.pairs),
    )
    sealed = services.cipher.seal(held.text(), session.id, "held")

    def hold() -> bool:
        with services.database.transaction() as db:
            return connect_steps.hold(db, session.id, attempt.id, sealed)

    return _outlast(hold)


def _give_up(services: Services, ticket: SendCode, trouble: Trouble) -> None:
    """Says why no answer is held; the person may begin again."""
    _outlast(lambda: promotion.give_up(services, ticket.session, ticket.attempt.id, trouble))


def _outlast(work: Callable[[], bool]) -> bool:
    """Returns `work()`, tried again while Postgres is away."""
    give_up_at, wait = time.monotonic() + STORE_SECONDS, 0.05
    while True:
        try:
            return retrying(work)
        except DatabaseUnavailable:
            if time.monotonic() + wait > give_up_at:
                raise
        time.sleep(wait)
        wait = min(2 * wait, 1.0)


async def _patiently(services: Services, session_id: UUID) -> None:
    """Goes on while the person waits; what does not come to its end by then, the sweep brings there."""
    for pause in (*PAUSES_SECONDS, None):
        if await _advance(services, session_id) or pause is None:
            return
        await asyncio.sleep(pause)


async def _advance(services: Services, session_id: UUID) -> bool:
    """Does what can be done now; False where trouble that passes is in the way."""
    for _ in range(MOST_STEPS):
        step = await services.couriers.work(consent_steps.next_step, services, session_id)
        if isinstance(step, Trying):
            return step is Trying.DONE
        if not await _done(services, step):
            return False
    return False


async def _done(services: Services, step: Ask | KeysWanted) -> bool:
    if isinstance(step, KeysWanted):
        return await services.couriers.fetch_keys(step.url)
    reply = await _asked(services, step.session, step.party, step.request)
    return await services.couriers.work(consent_steps.take_in, services, step, reply)
