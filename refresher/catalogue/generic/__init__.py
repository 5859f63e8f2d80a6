"""What all issuers have in common that nobody wrote an entry for: laid under those that extend it.

`mcp` and `oidc` stand in files like the built-in entries, and are no providers themselves: an issuer
makes one of them whole. The provider of an issuer that a connect session named is called by its slug.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from hashlib import sha256
from importlib.resources import files
from urllib.parse import urlsplit

from refresher.catalogue.built_in import BuiltIn
from refresher.catalogue.tables import read_provider
from refresher.rules.kinds import ClientAuth
from refresher.rules.providers import Provider

RESOURCE = "resource"
"""The placeholder of `mcp` whose value is the server that a token is for; without one, none is said."""
GENERIC = BuiltIn(files("refresher.catalogue").joinpath("generic"))
_SOME_ISSUER = "https://issuer.example"


def slug(issuer: str) -> str:
    """Returns what the provider of an issuer is called that has no name here."""
    return f"i-{sha256(issuer.encode()).hexdigest()[:16]}"


def entry(issuer: str, client_auth: ClientAuth) -> Provider:
    """Returns the entry of an issuer without a name; its endpoints are looked up."""
    title = urlsplit(issuer).netloc
    return replace(
        _generic(), name=slug(issuer), title=title, issuer=issuer, client_auth=client_auth
    )


@cache
def _generic() -> Provider:
    table = {**GENERIC.table("mcp"), "issuer": _SOME_ISSUER}
    return read_provider("mcp", table, allow_loopback=False)
