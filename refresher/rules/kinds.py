"""The kinds of providers, in words that an entry of the catalogue says: `Provider` is made of them."""

from __future__ import annotations

from enum import StrEnum


class Strategy(StrEnum):
    """How a fresh access token is had."""

    REFRESH_TOKEN = "refresh_token"  # RFC 6749 section 6
    LONG_LIVED_EXCHANGE = "long_lived_exchange"  # the access token itself is the grant
    CLIENT_CREDENTIALS = "client_credentials"  # minted anew, RFC 6749 section 4.4
    JWT_BEARER = "jwt_bearer"  # the grant is a JWT that the app signs, RFC 7523 section 2.1
    GITHUB_APP = "github_app"  # such a JWT as the bearer token of an empty request
    PLUGIN = "plugin"  # another package makes the request and reads the answer


MINTED = frozenset({Strategy.CLIENT_CREDENTIALS, Strategy.JWT_BEARER, Strategy.GITHUB_APP})
"""Strategies by which the app alone has a token made."""


class ClientAuth(StrEnum):
    """How the app proves itself at the token endpoint.

    `basic_raw` is Basic without the form-encoding of RFC 6749, for servers that compare what is sent as
    it is: it differs for ids and secrets with other characters than letters, digits, `_`, `.` and `-`.
    """

    BASIC = "basic"
    BASIC_RAW = "basic_raw"
    POST = "post"
    NONE = "none"
    CLIENT_SECRET_JWT = "client_secret_jwt"  # RFC 7523 section 2.2, signed with the secret
    PRIVATE_KEY_JWT = "private_key_jwt"  # the same, signed with the app's private key
    SIGNED_SECRET = "signed_secret"  # such a JWT in the place of the secret
    TLS_CLIENT_AUTH = "tls_client_auth"  # RFC 8705 section 2.1: the app's certificate
    SELF_SIGNED_TLS_CLIENT_AUTH = "self_signed_tls_client_auth"  # section 2.2

    @classmethod
    def _missing_(cls, value: object) -> ClientAuth | None:
        """Knows the names of RFC 7591 section 2 as well."""
        return RFC_NAMES.get(value) if isinstance(value, str) else None


SIGNING_GRANT = frozenset({Strategy.JWT_BEARER, Strategy.GITHUB_APP})
"""Strategies whose grant is an assertion."""
SIGNING_CLIENT = frozenset(
    {ClientAuth.CLIENT_SECRET_JWT, ClientAuth.PRIVATE_KEY_JWT, ClientAuth.SIGNED_SECRET}
)
"""Proofs of the client that are assertions."""
CERTIFIED = frozenset({ClientAuth.TLS_CLIENT_AUTH, ClientAuth.SELF_SIGNED_TLS_CLIENT_AUTH})
"""Proofs of the client that are its certificate."""


RFC_NAMES = {
    "client_secret_basic": ClientAuth.BASIC,
    "client_secret_post": ClientAuth.POST,
}


class BodyForm(StrEnum):
    """Where the parameters travel."""

    FORM = "form"
    JSON = "json"
    QUERY = "query"


class Rotation(StrEnum):
    """Whether a refresh spends the refresh token and answers with another."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    NEVER = "never"
