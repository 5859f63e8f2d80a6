"""The routes of people and of who they are: `/authorize`, `/login`, `/userinfo`, `/jwks`."""

import asyncio
import secrets
from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from refresher.devkit.oauth_server.answers import fault_answer
from refresher.devkit.oauth_server.consent import identity
from refresher.devkit.oauth_server.consent.callback import callback_pairs, signed
from refresher.devkit.oauth_server.consent.codes import Consented
from refresher.devkit.oauth_server.consent.page import consent_page, sentence_page
from refresher.devkit.oauth_server.consent.request import (
    AuthorizeRequest,
    Pairs,
    redirect,
    refused,
    untrusted,
)
from refresher.devkit.oauth_server.faults import ANSWERED_KINDS, FaultRule, Place
from refresher.devkit.oauth_server.state import Connections, ProviderState
from refresher.devkit.oauth_server.token_routes import json_response

_COOKIE = "fake-account"
_CODE_BYTES = 24
_KNOWN_SHOWN = 20


class Gone(Response):
    """No answer at all: the socket is closed."""

    def __init__(self, connections: Connections) -> None:
        """Closes a socket of these."""
        super().__init__()
        self._connections = connections

    async def __call__(self, scope: Scope, _: Receive, __: Send) -> None:
        """Closes the request's socket."""
        await self._connections.abort(scope)


class ConsentRoutes:
    """Pages and redirects, over one provider's state."""

    def __init__(
        self,
        state: ProviderState,
        beside: Callable[[Consented], Pairs] = lambda _: (),
        hmac_name: str = "hmac",
    ) -> None:
        """Asks, and remembers what is allowed, in the given state.

        `beside` are further parameters of a callback with a code.
        """
        self._state = state
        self._beside = beside
        self._hmac_name = hmac_name

    async def login(self, request: Request) -> Response:
        """Logs a browser in as `?account=`, or out without one, as the provider's own page would."""
        account = request.query_params.get("account", "")
        response = sentence_page(f"You are {account or 'nobody'} now.", 200)
        response.set_cookie(_COOKIE, account, httponly=True, samesite="lax")
        return response

    async def authorize(self, request: Request) -> Response:
        """Asks the person, or takes its answer; says what is wrong with the request otherwise."""
        query = request.scope["query_string"].decode("latin-1")
        return await self.ask(AuthorizeRequest.of(query), request)

    async def ask(self, asked: AuthorizeRequest, request: Request) -> Response:
        """Does the same with a request that was read already."""
        state = self._state
        if (sentence := untrusted(asked, state.options, state.clients)) is not None:
            return sentence_page(sentence, 400)
        account = request.cookies.get(_COOKIE) or asked.get("login_hint")
        account = account or state.options.consent_account
        wrong, is_auto = refused(asked, state.options), state.options.consent == "auto"
        if wrong is None and not is_auto and request.method != "POST":
            known = [*state.book.accounts][:_KNOWN_SHOWN]
            return consent_page(asked.get("client_id"), account, asked.scopes, known)
        form = parse_qsl((await request.body()).decode())
        account = dict(form).get("account") or account
        fault = state.board.pick(account, state.fault_dice, "authorize")
        if fault is not None and (spoilt := await self.spoilt(fault, "authorize")) is not None:
            return spoilt
        if wrong is None and not is_auto and dict(form).get("decision") != "allow":
            state.ledger.count("consents_refused")
            wrong = "access_denied", "the person did not allow it"
        if wrong is not None:
            return self._back(asked, (("error", wrong[0]), ("error_description", wrong[1])), fault)
        boxes = tuple(value for name, value in form if name == "granted")
        return self._allowed(asked, account, asked.scopes if is_auto else boxes, fault)

    def _allowed(
        self,
        asked: AuthorizeRequest,
        account: str,
        granted: tuple[str, ...],
        fault: FaultRule | None,
    ) -> Response:
        if fault is not None and fault.kind == "error":
            said = (("error", fault.error), ("error_description", fault.error_description))
            return self._back(asked, said, fault)
        state, code = self._state, secrets.token_urlsafe(_CODE_BYTES)
        fixed = state.options.granted_scopes
        consented = Consented(
            account=account,
            client_id=asked.get("client_id"),
            redirect_uri=asked.get("redirect_uri"),
            challenge="" if state.options.pkce == "ignored" else asked.get("code_challenge"),
            nonce=asked.get("nonce"),
            scopes=granted if fixed is None else tuple(fixed.split()),
            asked_scopes=asked.scopes,
            has_refresh_token=self._is_offline(asked, account),
            expires_at=state.clock.now() + state.options.code_lifetime_seconds,
            host=asked.host,
            more=asked.more,
        )
        state.codes.add(code, consented)
        state.ledger.count("codes_given")
        return self._back(asked, (("code", code), *self._beside(consented)), fault)

    def _is_offline(self, asked: AuthorizeRequest, account: str) -> bool:
        match self._state.options.offline:
            case "always":
                return True
            case "never":
                return False
            case "when_asked":
                return asked.wants_offline
            case "first_time":
                return asked.wants_consent or account not in self._state.book.accounts

    def _back(self, asked: AuthorizeRequest, answer: Pairs, fault: FaultRule | None) -> Response:
        state = self._state
        pairs = callback_pairs(answer, asked.get("state"), state.issuer, state.options, fault)
        secret = state.clients[asked.get("client_id")]
        pairs = signed(pairs, secret, self._hmac_name, state.options.callback_hmac)
        return RedirectResponse(redirect(asked.get("redirect_uri"), pairs), 302)

    async def spoilt(self, fault: FaultRule, place: Place) -> Response | None:
        """Returns what a fault answers in place of the provider; None where it comes later."""
        state = self._state
        if fault.kind in ANSWERED_KINDS and (place, fault.kind) != ("authorize", "error"):
            said = fault_answer(fault, state.options, state.clock.now())
            return Response(said.body, said.status, said.headers, said.media_type)
        if fault.kind in {"hang", "slow"}:
            await state.pauses.sleep(fault.seconds)
        return Gone(state.connections) if fault.kind == "hang" else None

    async def userinfo(self, request: Request) -> Response:
        """Answers OpenID Connect Core section 5.3: the account of an access token, or 401."""
        _, _, token = request.headers.get("authorization", "").partition(" ")
        return await self.whoami(token, identity.profile)

    async def whoami(self, token: str, tell: Callable[[str], object]) -> Response:
        """Answers what `tell` says of the account of an access token, or 401."""
        state, family = self._state, self._state.book.owner(token)
        state.ledger.count("userinfo_requests")
        account = None if family is None else family.external_id
        fault = state.board.pick(account, state.fault_dice, "userinfo")
        if fault is not None and (spoilt := await self.spoilt(fault, "userinfo")) is not None:
            return spoilt
        if account is None or not state.book.is_access_active(
            token, state.clock.now(), state.options
        ):
            return json_response({"error": "invalid_token"}, 401)
        return json_response(tell(account))

    async def key_set(self, _: Request) -> Response:
        """Tells the key that id_tokens are signed with."""
        return json_response(await asyncio.to_thread(identity.key_set))
