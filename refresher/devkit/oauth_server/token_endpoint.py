"""One token request from arrival to answer: fault, latency, decision, fault again, delivery.

Every rule about tokens is in `decision.py` and `grants.py`; this module owns only the order of
things and the socket. The order is what makes the faults mean something: those before `decide`
leave the grant alone, those after it have already spent the refresh token. Beside it the routes that
look at tokens without refreshing them; they have neither faults nor latency.
"""

import asyncio
from collections.abc import Mapping
from email.utils import formatdate

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from refresher.devkit.oauth_server.answers import (
    Answer,
    fault_answer,
    issued_answer,
    refused_answer,
)
from refresher.devkit.oauth_server.decision import (
    GrantRequest,
    credentials,
    decide,
    is_known_client,
    parameters,
    presented_token,
)
from refresher.devkit.oauth_server.ledger import Delivery, TokenCall
from refresher.devkit.oauth_server.options import ANSWERED_KINDS, SILENT_KINDS, FaultRule
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.tokens import AccessClaim, Issued, Reply, fingerprint


class TokenEndpoint:
    """The ASGI application behind every path that gives tokens."""

    def __init__(self, state: ProviderState) -> None:
        """Serves from, and writes to, the given state."""
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request and leaves one event in the ledger, whatever the socket does."""
        try:
            asked = await read_token_request(Request(scope, receive))
        except ClientDisconnect:
            return
        event, fault = self._arrive(asked)
        delivery: Delivery = "dropped"
        try:
            delivery = await self._serve(asked, event, fault, (scope, receive, send))
        finally:
            self._state.ledger.end(event, self._state.clock.now(), delivery)

    def _arrive(self, asked: GrantRequest) -> tuple[TokenCall, FaultRule | None]:
        state = self._state
        token = presented_token(asked.params)
        family = state.book.owner(token)
        external_id = None if family is None else family.external_id
        if asked.params.get("grant_type") == "client_credentials":
            external_id = f"client:{asked.client_id}"
        event = state.ledger.begin(
            external_id,
            None if token is None else fingerprint(token),
            state.clock.now(),
            state.options.events_kept,
        )
        return event, state.board.pick(external_id, state.fault_dice)

    async def _serve(
        self,
        asked: GrantRequest,
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
            return await self._deliver(fault_answer(fault, state.options, state.clock.now()), asgi)
        await state.pauses.sleep(state.options.latency_seconds / 2)
        reply = self._commit(asked, event)
        if isinstance(reply, Issued) and fault is not None:
            state.ledger.inject(event, fault.kind, instead_of_answer=False)
        await state.pauses.sleep(state.options.latency_seconds / 2)
        return await self._answer(asked, reply, fault, asgi)

    def _commit(self, asked: GrantRequest, event: TokenCall) -> Reply:
        state = self._state
        reply = decide(
            asked,
            state.book,
            state.clients,
            options=state.options,
            now=state.clock.now(),
            dice=state.rotation_dice,
        )
        state.ledger.settle(event, reply)
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
        asked: GrantRequest,
        reply: Reply,
        fault: FaultRule | None,
        asgi: tuple[Scope, Receive, Send],
    ) -> Delivery:
        options = self._state.options
        if not isinstance(reply, Issued):
            refused = refused_answer(reply, options, is_long_lived=asked.path != "/token")
            return await self._deliver(refused, asgi)
        answer = issued_answer(reply, options, fault)
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


async def read_token_request(request: Request) -> GrantRequest:
    """Returns what a request says, from query, form or JSON, and HTTP Basic or the body."""
    query = request.scope["query_string"].decode("latin-1")
    content_type = request.headers.get("content-type", "")
    params = parameters(query, content_type, await request.body())
    client_id, secret = credentials(request.headers.get("authorization", ""), params)
    return GrantRequest(request.scope["path"], params, client_id, secret)


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def json_response(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Returns a JSON answer."""
    return Response(orjson.dumps(body), status, headers, "application/json")


class TokenRoutes:
    """`/introspect`, `/revoke` and `/resource`, over one provider's state."""

    def __init__(self, state: ProviderState) -> None:
        """Reads from, and revokes in, the given state."""
        self._state = state

    async def introspect(self, request: Request) -> Response:
        """Answers RFC 7662: is this token good now; a refresh token is, if it would be accepted."""
        token = await self._token_of_known_client(request)
        if isinstance(token, Response):
            return token
        return json_response(self._introspected(token))

    def _introspected(self, token: str) -> dict[str, object]:
        state = self._state
        claim, family, now = state.book.claim(token), state.book.owner(token), state.clock.now()
        if claim is None or family is None:
            return {"active": False}
        if isinstance(claim, AccessClaim):
            if not state.book.is_access_active(token, now):
                return {"active": False}
            told = {"token_type": "Bearer", "exp": int(claim.expires_at)}
        else:
            if not state.book.is_refresh_usable(token, now, state.options):
                return {"active": False}
            told = {"token_type": "refresh_token"}
        return {"active": True, "sub": family.external_id, **told}

    async def revoke(self, request: Request) -> Response:
        """Answers RFC 7009: a refresh token takes its family with it; unknown tokens are fine."""
        token = await self._token_of_known_client(request)
        if isinstance(token, Response):
            return token
        if self._state.book.revoke_token(token):
            self._state.ledger.count("tokens_revoked")
        return Response(status_code=200)

    async def resource(self, request: Request) -> Response:
        """Answers like a provider's API: 200 with the account, or 401."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        state = self._state
        is_active = state.book.is_access_active(token, state.clock.now())
        family = state.book.owner(token)
        if scheme.lower() != "bearer" or not is_active or family is None:
            state.ledger.count("resource_refused")
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return json_response({"error": "invalid_token"}, 401, challenge)
        state.ledger.count("resource_ok")
        return json_response({"sub": family.external_id})

    async def _token_of_known_client(self, request: Request) -> str | Response:
        asked = await read_token_request(request)
        if not is_known_client(asked.client_id, asked.client_secret, self._state.clients):
            return json_response({"error": "invalid_client"}, 401)
        token = asked.params.get("token")
        return token or json_response({"error": "invalid_request"}, 400)
