"""How consents go at the provider: the options of its authorize endpoint, and of what a code gives."""

from dataclasses import dataclass
from typing import Annotated, Literal

Consent = Literal["auto", "page"]
Pkce = Literal["optional", "required", "ignored"]
Offline = Literal["always", "first_time", "when_asked", "never"]
CodeReuse = Literal["revoke", "refuse"]
TellScope = Literal["always", "never", "when_fewer"]
IdToken = Literal[
    "right", "none", "no_nonce", "wrong_nonce", "wrong_audience", "wrong_issuer", "expired",
    "wrong_key", "unsigned",
]  # fmt: skip
Metadata = Literal[
    "right", "missing", "page", "other_issuer", "other_endpoint", "private_endpoint", "javascript",
    "command", "no_s256", "redirect", "huge", "bomb", "two_servers",
]  # fmt: skip
CallbackHmac = Literal["none", "right", "wrong"]


@dataclass(frozen=True, slots=True)
class ConsentOptions:
    """What the authorize endpoint does with a person, and the token endpoint with a code."""

    consent: Annotated[
        Consent, "redirect back at once, or show a page with account, scopes, Allow and Cancel"
    ] = "auto"
    consent_account: Annotated[
        str, "who consents where nobody has logged in at /login, and no login_hint names anybody"
    ] = "ann"
    redirect_uris: Annotated[
        str, "the redirect URIs that are registered, spaces between; empty takes any"
    ] = ""
    pkce: Annotated[Pkce, "is a code challenge asked for, taken, or not even looked at"] = (
        "optional"
    )
    issuer: Annotated[str, "what it calls itself; empty is the URL at which it listens"] = ""
    tell_issuer: Annotated[bool, "send iss with each callback (RFC 9207), and announce that"] = (
        False
    )
    granted_scopes: Annotated[
        str | None, "the scopes that are granted, whatever is asked for; spaces between"
    ] = None
    tell_scope: Annotated[TellScope, "does the answer to a code name its scopes"] = "always"
    offline: Annotated[
        Offline,
        "when a code gives a refresh token; first_time: again with prompt=consent, when_asked: with"
        " offline_access or access_type=offline",
    ] = "always"
    older_grants_live: Annotated[bool, "do earlier grants of an account outlive a new consent"] = (
        True
    )
    code_lifetime_seconds: Annotated[float, "life of a code"] = 600.0
    code_reuse: Annotated[CodeReuse, "what a second send of a code does to what the first gave"] = (
        "revoke"
    )
    code_token_lifetime_seconds: Annotated[
        float | None, "life of the access token that a code gives, where it is another"
    ] = None
    id_token: Annotated[
        IdToken, "the id_token that scope openid gives, and what is wrong in it"
    ] = "right"
    callback_parameters: Annotated[
        str,
        "parameters of each callback, in place of those of that name: shop=other.example&realmId=1",
    ] = ""
    callback_hmac: Annotated[
        CallbackHmac, "sign the callback's parameters with the client's secret, as Shopify does"
    ] = "none"
    metadata: Annotated[
        Metadata,
        "what is told at /.well-known/: wrong issuer or endpoints, a redirect to a private"
        " address, a gigabyte, a gzip bomb, or a strange server beside it",
    ] = "right"
    resource: Annotated[
        str,
        "the resource (RFC 8707) that each request must name, such as the URL of /mcp; empty: none",
    ] = ""
