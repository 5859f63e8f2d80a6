"""One token request from arrival to answer: fault, latency, decision, fault again, delivery.

Every rule about tokens is in `decision.py` and `grants.py`; this module owns only the order of
things and the socket. The order is what makes the faults mean something: those before `decide`
leave the grant alone, those after it have already spent the refresh token.
"""

import asyncio
from email.utils import formatdate
from typing import Generic

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from refresher.devkit.oauth_server.answers import Answer
from refresher.devkit.oauth_server.faults import ANSWERED_KINDS, SILENT_KINDS, FaultRule, Place
from refresher.devkit.oauth_server.ledger import Delivery, TokenCall
from refresher.devkit.oauth_server.speech import A, Speech
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.tokens import Issued, Reply, fingerprint


class TokenEndpoint(Generic[A]):
    """The ASGI application behind every path that gives tokens."""

    def __init__(self, state: ProviderState, speech: Speech[A]) -> None:
        """Serves from, and writes to, the given state."""
        self._state = state
        self._speech = speech

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request and leaves one event in the ledger, whatever the socket does."""
        try:
            asked = await self._speech.read(Request(scope, receive))
        except ClientDisconnect:
            return
        event, fault = self._arrive(asked)
        delivery: Delivery = "dropped"
        try:
            delivery = await self._serve(asked, event, fault, (scope, receive, send))
        finally:
            self._state.ledger.end(event, self._state.clock.now(), delivery)

    def _arrive(self, asked: A) -> tuple[TokenCall, FaultRule | None]:
        state = self._state
        token = asked.token
        family = state.book.owner(token)
        external_id = None if family is None else family.external_id
        if asked.for_client is not None:
            external_id = f"client:{asked.for_client}"
        consented = state.codes.find(asked.code)
        if consented is not None:
            external_id = consented.account
        event = state.ledger.begin(
            external_id,
            None if token is None else fingerprint(token),
            state.clock.now(),
            state.options.events_kept,
        )
        place: Place = "refresh" if asked.code is None else "code"
        return event, state.board.pick(external_id, state.fault_dice, place)

    async def _serve(
        self,
        asked: A,
        event: TokenCall,
        fault: FaultRule | None,
        asgi: tuple[Scope, Receive, Send],
    ) -> Delivery:
        state = self._state
        if fault is not None and fault.kind in SILENT_KINDS:
            state.ledger.inject(event, fault.kind, instead_of_answer=True)
            return await self._fall_silent(fault, asgi)
        if fault is not None and fault.kind in ANSWERED_KINDS:
            state.ledger.inject(event, fault.kind, instead_of_answer=True)
            await state.pauses.sleep(state.options.latency_seconds)
            return await self._deliver(self._speech.faulty(fault), asgi)
        await state.pauses.sleep(state.options.latency_seconds / 2)
        reply = self._commit(asked, event)
        if isinstance(reply, Issued) and fault is not None:
            state.ledger.inject(event, fault.kind, instead_of_answer=False)
        await state.pauses.sleep(state.options.latency_seconds / 2)
        return await self._answer(asked, reply, fault, asgi)

    def _commit(self, asked: A, event: TokenCall) -> Reply:
        reply = self._speech.decide(asked)
        self._state.ledger.settle(event, reply)
        return reply

    async def _fall_silent(self, fault: FaultRule, asgi: tuple[Scope, Receive, Send]) -> Delivery:
        """Says nothing and closes the socket; `hang` first waits for the client to give up."""
        scope, receive, _ = asgi
        if fault.kind == "hang":
            leaving = asyncio.ensure_future(_client_left(receive))
            holding = asyncio.ensure_future(self._state.pauses.sleep(fault.seconds))
            await asyncio.wait({leaving, holding}, return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            holding.cancel()
        gave_up = not self._state.connections.is_open(scope)
        await self._state.connections.abort(scope)
        return "client_gone" if gave_up else "dropped"

    async def _answer(
        self,
        asked: A,
        reply: Reply,
        fault: FaultRule | None,
        asgi: tuple[Scope, Receive, Send],
    ) -> Delivery:
        if not isinstance(reply, Issued):
            return await self._deliver(self._speech.refused(asked, reply), asgi)
        answer = self._speech.issued(reply, fault)
        if fault is not None and fault.kind == "drop_after_commit":
            await self._state.connections.abort(asgi[0])
            return "dropped"
        if fault is not None and fault.kind == "truncated":
            return await self._deliver_half(answer, asgi)
        if fault is not None and fault.kind == "slow":
            await self._state.pauses.sleep(fault.seconds)
        return await self._deliver(answer, asgi)

    async def _deliver(self, answer: Answer, asgi: tuple[Scope, Receive, Send]) -> Delivery:
        if not self._state.connections.is_open(asgi[0]):
            return "client_gone"
        await self._response(answer)(*asgi)
        return "answered" if self._state.connections.is_open(asgi[0]) else "client_gone"

    async def _deliver_half(self, answer: Answer, asgi: tuple[Scope, Receive, Send]) -> Delivery:
        """Promises the whole body, sends half of it, and closes the socket."""
        scope, _, send = asgi
        response = self._response(answer)
        half = answer.body[: len(answer.body) // 2]
        await send({"type": "http.response.start", "status": 200, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await self._state.connections.close(scope)
        return "truncated"

    def _response(self, answer: Answer) -> Response:
        # The provider's own Date, so that a shifted clock shows the way a real skew would.
        date = formatdate(self._state.clock.now(), usegmt=True)
        headers = {"Cache-Control": "no-store", "Date": date} | answer.headers
        return Response(answer.body, answer.status, headers, answer.media_type)


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
