"""An entry that people can connect to, our app there, and what an attempt asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from refresher.rules.authorize import Asking, Code
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.consent import Consent, Identity
from refresher.rules.fillings import Stamp
from refresher.rules.providers import Provider

USERINFO = Identity(found_in=("userinfo",), url="https://acme.example/me", paths=(("id",),))
ACME = Provider(
    "acme",
    "https://acme.example/token",
    authorize_url="https://acme.example/authorize",
    connect=Consent(identity=USERINFO),
)
CLIENT = ClientCredentials("id", Secret("secret"))
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
HEX = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636 appendix B
BACK = "https://ours.example/connect/callback/acme"
ASKING = Asking(BACK, Secret("a-state"), Secret(VERIFIER), Secret("a-nonce"))
CODE = Code(Secret("a-code"), "https://acme.example/token", BACK, Secret(VERIFIER))
USUAL = {
    "response_type": "code",
    "client_id": "id",
    "redirect_uri": BACK,
    "state": "a-state",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
NO_PKCE = {name: text for name, text in USUAL.items() if not name.startswith("code_ch")}


def entry(connect: dict[str, Any] | None = None, **facts: Any) -> Provider:
    """Returns the entry with other facts, also of its `[connect]`."""
    consent = replace(ACME.connect, **connect) if connect else ACME.connect  # type: ignore[type-var]
    return replace(ACME, connect=consent, **facts)


def draw() -> Stamp:
    """Returns a time and a number."""
    return Stamp(1_000.0, "7")
