"""The routes that look at tokens without refreshing them; they have neither faults nor latency."""

from collections.abc import Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response

from refresher.devkit.oauth_server.decision import is_known_client
from refresher.devkit.oauth_server.speech import read_token_request
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.tokens import AccessClaim


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
            if not state.book.is_access_active(token, now, state.options):
                return {"active": False}
            told = {"token_type": "Bearer", "exp": int(state.book.end_of_access_token(claim))}
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
        is_active = state.book.use_access_token(token, state.clock.now(), state.options)
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
