"""Authlib on Flask: clients that prove themselves by a JWT, and a grant that is one (RFC 7523).

It reads the JWTs with joserfc. Run as a program it prints one line of JSON that tells what to connect
with, and ends with its standard input.
"""

import os
import secrets
from dataclasses import dataclass

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # it listens on this machine only

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion, JWTBearerGrant
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Flask, Response
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from tests.foreign.programs import serve

SECRET, LIFE_SECONDS = secrets.token_hex(32), 600
SIGNED: str = JWTBearerClientAssertion.CLIENT_AUTH_METHOD
"""The one way for a client to prove itself where tokens are had."""
BEARER: str = JWTBearerGrant.GRANT_TYPE
KEYS: dict[str, Key] = {
    "rsa": RSAKey.generate_key(2048),
    "ec": ECKey.generate_key("P-256"),
    "hmac": OctKey.import_key(SECRET),
    "service": RSAKey.generate_key(2048),
}
USERS = {"ann@example.com": True}
"""Whether the service may act for them."""


@dataclass(frozen=True)
class Client(ClientMixin):  # type: ignore[misc]
    """A client is known by the name of its key; `service` alone may use JWTs as grants."""

    name: str

    def get_client_id(self) -> str:
        """Returns its id."""
        return self.name

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether this is its secret: who introspects may use it."""
        return secrets.compare_digest(client_secret, SECRET)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Tokens are for who signs alone."""
        return endpoint != "token" or method == SIGNED

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it may use a grant."""
        return (self.name == "service") == (grant_type == BEARER)

    def get_allowed_scope(self, scope: str | None) -> str:
        """Returns what it may ask for."""
        return scope or ""


@dataclass
class Token(TokenMixin):  # type: ignore[misc]
    """A pair of tokens. The access token ends with the refresh token, which is good for once."""

    client: str
    access_token: str
    refresh_token: str | None = None
    scope: str = ""
    revoked: bool = False

    def check_client(self, client: Client) -> bool:
        """Whether it is this client's."""
        return client.name == self.client

    def get_scope(self) -> str:
        """Returns its scope."""
        return self.scope

    def is_expired(self) -> bool:
        """No test takes so long."""
        return False

    def is_revoked(self) -> bool:
        """Whether it was given back."""
        return self.revoked


TOKENS: list[Token] = []


def found(text: str) -> Token | None:
    """Returns the pair that a token is of."""
    return next((t for t in TOKENS if text in {t.access_token, t.refresh_token}), None)


class Refresh(RefreshTokenGrant):  # type: ignore[misc]
    """Each refresh token is good for once."""

    INCLUDE_NEW_REFRESH_TOKEN = True
    TOKEN_ENDPOINT_AUTH_METHODS = (SIGNED,)

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        """Returns the pair of a refresh token that may be used."""
        token = found(refresh_token)
        return None if token is None or token.revoked else token

    def authenticate_user(self, credential: Token) -> object:
        """Returns whoever granted it."""
        return credential.client

    def revoke_old_credential(self, credential: Token) -> None:
        """Remembers that it was used."""
        credential.revoked = True


class OfAudience:
    """What both JWTs are checked for."""

    url = ""

    def get_audiences(self) -> list[str]:
        """Returns what we are called."""
        return [f"{OfAudience.url}/token"]

    def resolve_client_public_key(self, client: Client) -> Key:
        """Returns the client's key."""
        return KEYS[client.name]


class Assertion(OfAudience, JWTBearerClientAssertion):  # type: ignore[misc]
    """Proves a client (section 2.2), with an id that is good for once."""

    seen: set[str]

    def validate_jti(self, claims: object, jti: str) -> bool:
        """Whether it is new."""
        new = jti not in self.seen
        self.seen.add(jti)
        return new


class Bearer(OfAudience, JWTBearerGrant):  # type: ignore[misc]
    """A JWT that is a grant (section 2.1)."""

    def resolve_issuer_client(self, issuer: str) -> Client | None:
        """Returns who signed."""
        return query_client(issuer)

    def authenticate_user(self, subject: str) -> str | None:
        """Returns the user that is meant."""
        return subject if subject in USERS else None

    def has_granted_permission(self, client: Client, user: str) -> bool:
        """Whether the user has not taken it back."""
        return USERS[user]


class Revoke(RevocationEndpoint):  # type: ignore[misc]
    """Ends a grant (RFC 7009)."""

    CLIENT_AUTH_METHODS = (SIGNED,)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
        """Returns a pair."""
        return found(token_string)

    def revoke_token(self, token: Token, request: object) -> None:
        """Ends a pair."""
        token.revoked = True


class Introspect(IntrospectionEndpoint):  # type: ignore[misc]
    """Tells whether a token is alive (RFC 7662)."""

    CLIENT_AUTH_METHODS = ("client_secret_basic",)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
        """Returns a pair."""
        return found(token_string)

    def check_permission(self, token: Token, client: Client, request: object) -> bool:
        """Everybody may ask."""
        return True

    def introspect_token(self, token: Token) -> dict[str, object]:
        """Tells whose it is."""
        return {"client_id": token.client}


def query_client(name: str) -> Client | None:
    """Returns a client."""
    return Client(name) if name in KEYS else None


def save(token: dict[str, str], request: "AuthorizationServer") -> None:
    """Keeps a pair that was issued."""
    texts = (token["access_token"], token.get("refresh_token"))
    TOKENS.append(Token(request.client.name, *texts, token.get("scope", "")))


def application() -> Flask:
    """Returns the server."""
    app = Flask(__name__)
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"refresh_token": LIFE_SECONDS}
    server = AuthorizationServer(app, query_client, save)
    assertion = Assertion()
    assertion.seen = set()
    server.register_client_auth_method(assertion.CLIENT_AUTH_METHOD, assertion)
    for grant in (Refresh, Bearer):
        server.register_grant(grant)
    for endpoint in (Revoke, Introspect):
        server.register_endpoint(endpoint)
    app.add_url_rule("/token", "token", server.create_token_response, methods=["POST"])
    for name in ("revocation", "introspection"):
        app.add_url_rule(
            f"/{name}",
            name,
            lambda name=name: server.create_endpoint_response(name),
            methods=["POST"],
        )

    @app.delete("/users/<user>")
    def take_back(user: str) -> Response:
        """The user takes the service's right back: no page of the library's does that."""
        USERS[user] = False
        return Response(status=204)

    return app


def told(url: str) -> dict[str, object]:
    """Returns what to connect with."""
    OfAudience.url = url
    names = ("rsa", "ec", "hmac")
    TOKENS.extend(Token(name, f"access-of-{name}", secrets.token_hex(32)) for name in names)
    return {
        "secret": SECRET,
        "grants": {token.client: {"refresh_token": token.refresh_token} for token in TOKENS},
        "keys": {
            n: k.as_pem(private=True).decode() for n, k in KEYS.items() if not isinstance(k, OctKey)
        },
    }


if __name__ == "__main__":
    serve(application(), told)
