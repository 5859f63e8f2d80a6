"""What an issuer's metadata says (RFC 8414, OpenID Connect Discovery), and what is refused of it."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from refresher.catalogue.discovery import Metadata, Unfit, places, read, resolved, strangers
from refresher.rules.connection import Reply
from refresher.rules.providers import ClientAuth, Provider
from tests.catalogue.conftest import Fault, Load

ISSUER = "https://acme.example"
PLACE = f"{ISSUER}/.well-known/oauth-authorization-server"
TOKEN = f"{ISSUER}/token"


def said(**fields: Any) -> Reply:
    """Returns a good answer with other fields; those that are None are left out."""
    given = {"issuer": ISSUER, "token_endpoint": TOKEN, **fields}
    return Reply(200, {}, json.dumps({n: v for n, v in given.items() if v is not None}).encode())


@pytest.mark.parametrize(
    ("issuer", "oauth", "openid"),
    [
        (
            "https://acme.example",
            "https://acme.example/.well-known/oauth-authorization-server",
            "https://acme.example/.well-known/openid-configuration",
        ),
        (
            "https://acme.example/realms/a",
            "https://acme.example/.well-known/oauth-authorization-server/realms/a",
            "https://acme.example/realms/a/.well-known/openid-configuration",
        ),
        (
            "https://acme.example:8443/a/",
            "https://acme.example:8443/.well-known/oauth-authorization-server/a",
            "https://acme.example:8443/a/.well-known/openid-configuration",
        ),
    ],
)
def test_metadata_stands_at_two_places(issuer: str, oauth: str, openid: str):
    """RFC 8414 puts both names before the issuer's path, OpenID its own behind it."""
    before = oauth.replace("oauth-authorization-server", "openid-configuration")
    assert places(issuer) == tuple(dict.fromkeys((oauth, before, openid)))


def test_what_counts_is_read():
    """URLs and lists of words; whatever else stands there is left."""
    found = read(
        ISSUER,
        PLACE,
        said(
            revocation_endpoint=f"{ISSUER}/revoke",
            userinfo_endpoint=f"{ISSUER}/me",
            registration_endpoint=f"{ISSUER}/register",
            jwks_uri=f"{ISSUER}/keys",
            authorization_response_iss_parameter_supported=True,
            client_id_metadata_document_supported="true",
            code_challenge_methods_supported=["S256", 1, "\n"],
            scopes_supported="openid",
            else_=[1],
        ),
    )
    assert found == Metadata(
        TOKEN,
        f"{ISSUER}/revoke",
        identity_url=f"{ISSUER}/me",
        auth_methods=("client_secret_basic",),
        challenge_methods=("S256",),
        source=PLACE,
        registration_url=f"{ISSUER}/register",
        jwks_url=f"{ISSUER}/keys",
        announces_iss=True,
    )
    assert Metadata.of(json.loads(json.dumps(found.plain()))) == found
    packed = Reply(200, {"content-encoding": "gzip"}, gzip.compress(said().body))
    assert read(ISSUER, PLACE, packed).token_url == TOKEN


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (said(issuer=ISSUER + "/"), 'another issuer ("https://acme.example/" instead of https'),
        (said(issuer="https://evil.example"), 'another issuer ("https://evil.example" instead'),
        (said(issuer=None), "is the metadata of another issuer (none instead of"),
        (said(issuer=["x"]), "(none instead of"),
        (said(token_endpoint=None), "names no token_endpoint: give token_url instead of issuer"),
        (said(token_endpoint=3), "token_endpoint is no text"),
        (said(token_endpoint="http://acme.example/t"), "token_endpoint must begin with https://"),
        (said(token_endpoint="https://u:p@acme.example"), "must not hold a user or a password"),
        (said(token_endpoint="https://{host}/t"), "holds a character that no URL may hold"),
        (said(authorization_endpoint="javascript:alert(1)"), "authorization_endpoint must begin"),
        (said(registration_endpoint="file:///etc"), "registration_endpoint must begin with https"),
        (said(revocation_endpoint="/revoke"), "revocation_endpoint must begin with https://"),
        (said(mtls_endpoint_aliases={"token_endpoint": "/t"}), "aliases.token_endpoint must begin"),
        (Reply(302, {}, b""), "answers with redirects (302) that do not end"),
        (Reply(404, {}, b""), "answers with 404"),
        (Reply(200, {}, b"<html>"), "answers with something that is no JSON"),
        (Reply(200, {}, b"[" * 60_000), "answers with something that is no JSON"),
        (Reply(200, {}, b"[]"), "answers with JSON that is no object"),
        (Reply(200, {}, b" " * 300_000), "answers with more than 65,536 bytes"),
        (Reply(failure="timeout"), "does not answer: timeout"),
        (Reply(failure="forbidden_address", sent=False), "does not answer: forbidden_address"),
        (Reply(), "does not answer: no status"),
    ],
)
def test_what_is_no_metadata_of_the_issuer_is_one_sentence(reply: Reply, sentence: str):
    """It names the place and what to do; nothing of a stranger's text reaches a terminal."""
    with pytest.raises(Unfit) as refused:
        read(ISSUER, PLACE, reply)
    assert str(refused.value).startswith(PLACE)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("kept", "fresh", "hosts"),
    [
        (None, Metadata("https://other.example/t"), ()),
        (Metadata(TOKEN), Metadata(f"{ISSUER}/moved"), ()),
        (Metadata("https://b.example/t"), Metadata("https://b.example/u"), ()),
        (Metadata("https://b.example/t"), Metadata(TOKEN), ()),
        (Metadata(TOKEN), Metadata("https://login.acme.example/t"), ()),
        (Metadata(TOKEN), Metadata("https://notacme.example/t"), ("notacme.example",)),
        (Metadata(TOKEN), Metadata("https://acme.example:444/t"), ("acme.example:444",)),
        (Metadata(TOKEN), Metadata(TOKEN, "https://c.example/r"), ("c.example",)),
        (Metadata(TOKEN), Metadata(TOKEN, authorize_url="https://c.example/a"), ()),
    ],
)
def test_hosts_where_tokens_never_went_are_named(
    kept: Metadata | None, fresh: Metadata, hosts: tuple[str, ...]
):
    """What is read first is believed; then what was kept, and the issuer with its subdomains."""
    assert strangers(ISSUER, kept, fresh) == hosts


@pytest.mark.parametrize(
    ("own", "methods", "auth"),
    [
        (ClientAuth.POST, ("client_secret_basic",), ClientAuth.BASIC),
        (ClientAuth.POST, ("client_secret_basic", "client_secret_post"), ClientAuth.POST),
        (ClientAuth.POST, ("private_key_jwt",), ClientAuth.POST),
        (ClientAuth.NONE, ("client_secret_basic",), ClientAuth.NONE),
    ],
)
def test_an_entry_says_more_than_the_metadata(
    own: ClientAuth, methods: tuple[str, ...], auth: ClientAuth
):
    """The URLs that it lacks are filled in; a proof that the server refuses is no default."""
    entry = Provider("acme", issuer=ISSUER, client_auth=own, revocation_url=f"{ISSUER}/mine")
    found = resolved(entry, Metadata(TOKEN, f"{ISSUER}/theirs", auth_methods=methods))
    assert (found.token_url, found.revocation_url) == (TOKEN, f"{ISSUER}/mine")
    assert (found.client_auth, found.is_looked_up) == (auth, False)


@pytest.mark.parametrize("auth", [ClientAuth.TLS_CLIENT_AUTH, ClientAuth.PRIVATE_KEY_JWT])
def test_a_client_with_a_certificate_has_a_token_endpoint_of_its_own(auth: ClientAuth):
    """RFC 8705 section 5; it is kept like the other, and may move no more than that."""
    found = read(ISSUER, PLACE, said(mtls_endpoint_aliases={"token_endpoint": f"{ISSUER}/mtls"}))
    assert Metadata.of(found.plain()) == found
    url = resolved(Provider("acme", issuer=ISSUER, client_auth=auth), found).token_url
    assert url == (f"{ISSUER}/mtls" if auth is ClientAuth.TLS_CLIENT_AUTH else TOKEN)
    both = {"token_endpoint": f"{ISSUER}/mtls", "revocation_endpoint": f"{ISSUER}/mtls/end"}
    told = said(mtls_endpoint_aliases=both, revocation_endpoint=f"{ISSUER}/end")
    ended = resolved(Provider("acme", issuer=ISSUER, client_auth=auth), read(ISSUER, PLACE, told))
    assert ended.revocation_url == url.replace(TOKEN, ISSUER) + "/end"
    moved = Metadata(TOKEN, mtls_token_url="https://mtls.example/t")
    assert strangers(ISSUER, found, moved) == ("mtls.example",)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "token_url is missing (or an issuer, whose metadata tells it)"),
        ('issuer = "http://acme.example"', "issuer must begin with https://"),
        ('issuer = "https://acme.example?a=b"', 'issuer must not hold a query ("?…")'),
        ('issuer = "https://acme.example#a"', "issuer must not hold a fragment"),
        ('issuer = "https://{host}"\nhost_pattern = "a"', "issuer has a placeholder: make an"),
        ('issuer = ""', "issuer must not be empty"),
    ],
)
def test_an_issuer_that_is_none_is_one_sentence(fault: Fault, line: str, sentence: str):
    """As all that tokens depend on."""
    assert sentence in fault(f"[providers.acme]\n{line}")


def test_an_entry_with_token_url_is_not_looked_up(load_text: Load):
    """Its issuer is a fact then."""
    entry = load_text(f'[providers.acme]\ntoken_url = "{TOKEN}"\nissuer = "{ISSUER}"')
    assert (entry["acme"].is_looked_up, entry.looked_up) == (False, ())
    entry = load_text(f'[providers.acme]\nissuer = "{ISSUER}"')
    assert [one.name for one in entry.looked_up] == ["acme"]
    assert "acme" in entry
    assert "acme" not in entry.usable
    assert entry["acme"].token_url == ""
