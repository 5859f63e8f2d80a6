"""What an authorization server's metadata says: RFC 8414, and OpenID Connect Discovery 1.0.

Pure: where it stands, what of it counts, and what an entry becomes with it. Tokens go where it says, so
it must name exactly the issuer that was asked for (RFC 8414 section 3.3): another one's metadata would
lead them elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from urllib.parse import urljoin, urlsplit, urlunsplit

from refresher.catalogue.urls import told_url_faults
from refresher.rules.bodies import header, unpack
from refresher.rules.bodies import read as as_read
from refresher.rules.connection import Reply
from refresher.rules.consent import Consent
from refresher.rules.providers import CERTIFIED, ClientAuth, Provider

WELL_KNOWN = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
MAX_BYTES = 65_536
MOST_REDIRECTS = 2
URLS = {
    "token_url": "token_endpoint",
    "revocation_url": "revocation_endpoint",
    "authorize_url": "authorization_endpoint",
    "introspection_url": "introspection_endpoint",
    "identity_url": "userinfo_endpoint",
}
"""Our names of URLs, and those of the metadata."""
NOT_OF_ENTRIES = {"registration_url": "registration_endpoint", "jwks_url": "jwks_uri"}
"""The like for those that no entry has a field for."""
SAYS = {
    "announces_iss": "authorization_response_iss_parameter_supported",
    "takes_documents": "client_id_metadata_document_supported",
}
"""Our names of what is true or false."""
LISTS = {
    "auth_methods": "token_endpoint_auth_methods_supported",
    "challenge_methods": "code_challenge_methods_supported",
    "scopes": "scopes_supported",
}
ALIASES = {"mtls_token_url": "token_endpoint", "mtls_revocation_url": "revocation_endpoint"}
"""The endpoints of clients with a certificate, among `mtls_endpoint_aliases` (RFC 8705 section 5)."""
OFFLINE = "offline_access"
ASKED = ("openid", OFFLINE)
"""Scopes that every consent asks for where they are there: who it was, and access that lasts."""
TOKENS_GO_TO = ("token_url", "revocation_url", *ALIASES)
MOST_LISTED = 100


class Unfit(ValueError):
    """What was answered is no metadata of this issuer; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What counts of an issuer's metadata."""

    token_url: str
    revocation_url: str | None = None
    authorize_url: str | None = None
    introspection_url: str | None = None
    identity_url: str | None = None
    auth_methods: tuple[str, ...] = ()
    challenge_methods: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    mtls_token_url: str | None = None
    """the token endpoint for clients with a certificate (RFC 8705 section 5)"""
    mtls_revocation_url: str | None = None
    """where those give a grant back"""
    source: str = ""
    """where it was read"""
    registration_url: str | None = None
    """where clients register themselves (RFC 7591)"""
    jwks_url: str | None = None
    """the keys that sign its id_tokens"""
    announces_iss: bool = False
    """whether each of its answers to a browser names it (RFC 9207)"""
    takes_documents: bool = False
    """whether a client may be the URL of a document about it"""

    @classmethod
    def of(cls, stored: Mapping[str, object]) -> Metadata:
        """Returns what was stored with `plain`."""
        known = {f.name: stored[f.name] for f in fields(cls) if f.name in stored}
        lists = {n: tuple(v) for n, v in known.items() if isinstance(v, list)}
        return cls(**{**known, **lists})  # type: ignore[arg-type]  # it was ours

    def plain(self) -> dict[str, object]:
        """Returns it as JSON has it."""
        return asdict(self)

    @property
    def always_asked(self) -> tuple[str, ...]:
        """Those of its scopes that every consent asks for."""
        return tuple(scope for scope in ASKED if scope in self.scopes)


def places(issuer: str) -> tuple[str, ...]:
    """Returns where it may stand, in the order to ask.

    RFC 8414 section 3.1 puts its name before the issuer's path, and section 5 that of OpenID as well;
    OpenID Connect Discovery 1.0 section 4 puts its own behind it.
    """
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    paths = dict.fromkeys((WELL_KNOWN + path, OPENID + path, path + OPENID))
    return tuple(urlunsplit(parts._replace(path=one)) for one in paths)


def onward(place: str, reply: Reply, *, allow_loopback: bool) -> str | None:
    """Returns where a redirect leads, to be asked next; None for an answer that is none.

    Raises `Unfit` where it leads to what metadata may not stand at. The address is judged by who asks.
    """
    if reply.status not in {301, 302, 303, 307, 308}:
        return None
    named = header(reply.headers, "location")
    try:
        leads = urljoin(place, named) if named else ""
    except ValueError:
        leads = ""
    for fault in told_url_faults("it", leads, allow_loopback=allow_loopback):
        raise Unfit(f"{place} answers with a redirect that is not followed: {fault}")
    return leads


def read(issuer: str, place: str, reply: Reply, *, allow_loopback: bool = False) -> Metadata:
    """Returns the metadata that was answered at `place`; raises `Unfit`."""
    given = answered(place, reply)
    said = given.get("issuer")
    if said != issuer:
        named = f'"{said[:200]}"' if isinstance(said, str) and said.isprintable() else "none"
        raise Unfit(
            f"{place} is the metadata of another issuer ({named} instead of {issuer}): give the "
            "issuer exactly as it names itself"
        )
    known = URLS | NOT_OF_ENTRIES
    urls = {ours: given[theirs] for ours, theirs in known.items() if given.get(theirs) is not None}
    if "token_url" not in urls:
        raise Unfit(f"{place} names no token_endpoint: give token_url instead of issuer")
    aliases = given.get("mtls_endpoint_aliases")
    if isinstance(aliases, dict):
        urls |= {ours: aliases[theirs] for ours, theirs in ALIASES.items() if aliases.get(theirs)}
    for ours, url in urls.items():
        field = known.get(ours) or f"mtls_endpoint_aliases.{ALIASES[ours]}"
        wrong = _url_fault(field, url, allow_loopback=allow_loopback)
        if wrong:
            raise Unfit(f"{place}: {wrong}")
    lists = {ours: words(given.get(theirs)) for ours, theirs in LISTS.items()}
    says = {ours: given.get(theirs) is True for ours, theirs in SAYS.items()}
    if LISTS["auth_methods"] not in given:
        lists["auth_methods"] = ("client_secret_basic",)  # RFC 8414 section 2
    return Metadata(**{n: str(url) for n, url in urls.items()}, **lists, **says, source=place)  # type: ignore[arg-type]


def answered(place: str, reply: Reply, statuses: Collection[int] = (200,)) -> dict[str, object]:
    """Returns the object that was answered at `place` with one of `statuses`; raises `Unfit`.

    Of another one it is told which error it names, if it does.
    """
    if reply.status is None or reply.failure:
        raise Unfit(f"{place} does not answer: {reply.failure or 'no status'}")
    if 300 <= reply.status < 400:
        raise Unfit(f"{place} answers with redirects ({reply.status}) that do not end")
    if reply.status not in statuses:
        raise Unfit(f"{place} answers with {reply.status}{_error(reply)}")
    opened = unpack(reply.body, header(reply.headers, "content-encoding"))
    if opened.too_large or len(opened.body) > MAX_BYTES:
        raise Unfit(f"{place} answers with more than {MAX_BYTES:,} bytes")
    try:
        given = json.loads(opened.body)
    except (ValueError, RecursionError):
        raise Unfit(f"{place} answers with something that is no JSON") from None
    if not isinstance(given, dict):
        raise Unfit(f"{place} answers with JSON that is no object")
    return given


def _error(reply: Reply) -> str:
    named = as_read(reply.body, reply.headers).get("error")
    fits = isinstance(named, str) and named.isprintable() and 0 < len(named) <= 100
    return f" ({named})" if fits else ""


def _url_fault(field: str, url: object, *, allow_loopback: bool) -> str | None:
    if not isinstance(url, str):
        return f"{field} is no text"
    return next(told_url_faults(field, url, allow_loopback=allow_loopback), None)


def words(given: object) -> tuple[str, ...]:
    """Returns the texts of a list that may be one of words; anything else is left out."""
    if not isinstance(given, list):
        return ()
    fit = [w for w in given if isinstance(w, str) and w.isprintable() and 0 < len(w) <= 200]
    return tuple(fit[:MOST_LISTED])


def strangers(issuer: str, kept: Metadata | None, fresh: Metadata) -> tuple[str, ...]:
    """Returns the hosts to which tokens would go, and never went: none kept, nor the issuer's own.

    What is read first is believed, for whoever wrote the entry chose the issuer.
    """
    if kept is None:
        return ()
    own = urlsplit(issuer).netloc
    known = {own, *_hosts(kept)}
    return tuple(
        host for host in _hosts(fresh) if host not in known and not host.endswith("." + own)
    )


def _hosts(metadata: Metadata) -> Iterator[str]:
    urls = (getattr(metadata, name) for name in TOKENS_GO_TO)
    yield from dict.fromkeys(urlsplit(url).netloc for url in urls if url)


def resolved(provider: Provider, metadata: Metadata) -> Provider:
    """Returns the entry with what the metadata says and the entry does not.

    Its `client_auth` counts, unless it is the default, which the server says that it does not take.
    """
    told = {n: getattr(metadata, n) for n in URLS if not getattr(provider, n)}
    if provider.client_auth in CERTIFIED:
        told["token_url"] = metadata.mtls_token_url or told["token_url"]
        if "revocation_url" in told:
            told["revocation_url"] = metadata.mtls_revocation_url or told["revocation_url"]
    methods = metadata.auth_methods
    refused = provider.client_auth is ClientAuth.POST and "client_secret_post" not in methods
    basic = refused and "client_secret_basic" in methods
    known = replace(
        provider, **told, client_auth=ClientAuth.BASIC if basic else provider.client_auth
    )
    return known if known.connect is None else _with_consent(known, known.connect, metadata)


def _with_consent(provider: Provider, consent: Consent, metadata: Metadata) -> Provider:
    """Returns the entry with what the metadata says of a person's consent, and the entry does not.

    Scopes are those that tell the account and last, where the issuer lists them; an entry whose
    consent has scopes keeps to these. What lasts must be consented to (OpenID Connect Core 11).
    """
    scopes, extra = consent.scopes, dict(provider.authorize_parameters)
    if not scopes:
        scopes = metadata.always_asked
    if OFFLINE in scopes:
        extra.setdefault("prompt", "consent")
    identity = consent.identity
    if provider.userinfo_url is None:
        kept = tuple(place for place in identity.found_in if place != "userinfo")
        identity = replace(identity, found_in=kept or ("id_token",))
    signed = "id_token" in identity.found_in
    whole = replace(
        consent,
        scopes=scopes,
        identity=identity,
        announces_iss=consent.announces_iss or metadata.announces_iss,
        jwks_url=consent.jwks_url or (metadata.jwks_url if signed else None),
    )
    return replace(provider, authorize_parameters=extra, connect=whole)
