"""What is found about the provider by whoever asks: RFC 8414, RFC 9728 and RFC 7591, honest or not.

`/mcp` is a resource server that takes its tokens, and says so with a challenge.
"""

import gzip
import secrets
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from refresher.devkit.oauth_server.consent.options import Metadata
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.token_routes import json_response

_PRIVATE = "http://169.254.169.254/latest/meta-data/"
_STRANGE = "https://strange.example"
_MEGABYTE = b" " * 1024 * 1024
_HUGE_MEGABYTES = 1024
_BOMB_MEGABYTES = 48
_WRONG: dict[Metadata, dict[str, Any]] = {
    "other_issuer": {"issuer": _STRANGE},
    "private_endpoint": {"token_endpoint": f"{_PRIVATE}token"},
    "other_endpoint": {"token_endpoint": f"{_STRANGE}/token"},
    "javascript": {"authorization_endpoint": "javascript:alert(document.domain)"},
    "command": {"authorization_endpoint": "http://127.0.0.1/$(calc)"},
    "no_s256": {"code_challenge_methods_supported": ["plain"]},
}


class MetadataRoutes:
    """Metadata, registration and the resource server, over one provider's state."""

    def __init__(self, state: ProviderState) -> None:
        """Tells of, and registers at, the given state."""
        self._state = state

    async def server(self, _: Request) -> Response:
        """Tells the endpoints, wrong where the options say so."""
        style, url = self._state.options.metadata, self._state.url
        match style:
            case "missing":
                return json_response({"error": "not_found"}, 404)
            case "redirect":
                return RedirectResponse(_PRIVATE, 302)
            case "huge":
                return StreamingResponse(_huge(), 200, media_type="application/json")
            case "bomb":
                packed = {"Content-Encoding": "gzip"}
                return Response(_bomb(), 200, packed, "application/json")
            case "page":
                return Response("<h1>Sign in to the Wi-Fi</h1>", 200, media_type="text/html")
            case _:
                return json_response({**_endpoints(url, self._state), **_WRONG.get(style, {})})

    async def resource(self, _: Request) -> Response:
        """Tells of the resource server whose tokens these are (RFC 9728)."""
        state = self._state
        servers = [state.issuer]
        if state.options.metadata == "two_servers":
            servers = [_STRANGE, state.issuer]
        told = {"resource": f"{state.url}/mcp", "authorization_servers": servers}
        return json_response({**told, "scopes_supported": ["read", "write"]})

    async def register(self, request: Request) -> Response:
        """Registers a client (RFC 7591): with a secret, unless it wants none."""
        told = await request.json()
        if "resource" in told:
            return json_response({"error": "invalid_client_metadata"}, 400)
        is_public = told.get("token_endpoint_auth_method") == "none"
        secret = "" if is_public else secrets.token_urlsafe(24)
        client_id = f"dynamic-{secrets.token_hex(8)}"
        self._state.set_client(client_id, secret)
        self._state.ledger.count("clients_registered")
        answer = {**told, "client_id": client_id}
        return json_response(answer if is_public else {**answer, "client_secret": secret}, 201)

    async def mcp(self, request: Request) -> Response:
        """Answers `initialize` to who has a good token, else the challenge that leads to one."""
        state = self._state
        _, _, token = request.headers.get("authorization", "").partition(" ")
        if not state.book.use_access_token(token, state.clock.now(), state.options):
            place = f"{state.url}/.well-known/oauth-protected-resource/mcp"
            challenge = f'Bearer resource_metadata="{place}", scope="read"'
            return json_response({"error": "invalid_token"}, 401, {"WWW-Authenticate": challenge})
        family = state.book.owner(token)
        scopes = () if family is None else family.scopes
        if (needed := request.query_params.get("needs")) and needed not in scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
            return json_response(
                {"error": "insufficient_scope"}, 403, {"WWW-Authenticate": challenge}
            )
        told = {"protocolVersion": "2025-06-18", "serverInfo": {"name": "fake"}, "capabilities": {}}
        return json_response({"jsonrpc": "2.0", "id": 1, "result": told})


def _endpoints(url: str, state: ProviderState) -> dict[str, Any]:
    return {
        "issuer": state.issuer,
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "registration_endpoint": f"{url}/register",
        "revocation_endpoint": f"{url}/revoke",
        "introspection_endpoint": f"{url}/introspect",
        "userinfo_endpoint": f"{url}/userinfo",
        "jwks_uri": f"{url}/jwks",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "scopes_supported": ["openid", "offline_access", "read", "write"],
        "token_endpoint_auth_methods_supported": [
            "client_secret_basic",
            "client_secret_post",
            "none",
        ],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": state.options.tell_issuer,
    }


async def _huge() -> AsyncIterator[bytes]:
    for _ in range(_HUGE_MEGABYTES):
        yield _MEGABYTE


@cache
def _bomb() -> bytes:
    """Returns what is a thousand times as large once it is unpacked, and smaller than any limit."""
    return gzip.compress(_MEGABYTE * _BOMB_MEGABYTES)
