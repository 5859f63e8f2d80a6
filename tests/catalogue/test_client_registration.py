"""How we become a client of an issuer that nobody registered us at: documents, RFC 7591."""

from __future__ import annotations

import json
from typing import Any

import pytest

from refresher.catalogue.client_registration import (
    Registered,
    by_document,
    document,
    read,
    request,
    way,
)
from refresher.catalogue.discovery import Metadata, Unfit
from refresher.rules.connection import Reply, Secret
from refresher.rules.providers import ClientAuth

AT = "https://auth.example/register"
DOCUMENT = "https://refresher.example/connect/client/i-0123456789abcdef.json"
BACK = "https://refresher.example/connect/callback/i-0123456789abcdef"


def server(**fields: Any) -> Metadata:
    """Returns an issuer's metadata."""
    return Metadata("https://auth.example/token", registration_url=AT, **fields)


def said(status: int = 201, **fields: Any) -> Reply:
    """Returns an answer to a registration; fields that are None are left out."""
    given = {"client_id": "c-1", **fields}
    return Reply(status, {}, json.dumps({n: v for n, v in given.items() if v is not None}).encode())


@pytest.mark.parametrize(
    ("takes_documents", "registration_url", "url", "how"),
    [
        (True, AT, DOCUMENT, "document"),
        (True, None, DOCUMENT, "document"),
        (True, AT, "http://127.0.0.1:8080/connect/client/i-1.json", "dynamic"),
        (True, None, "http://127.0.0.1:8080/connect/client/i-1.json", None),
        (False, AT, DOCUMENT, "dynamic"),
        (False, None, DOCUMENT, None),
    ],
)
def test_the_way_to_be_known(
    takes_documents: bool,
    registration_url: str | None,
    url: str,
    how: str | None,
):
    """A document where it is read, and can be: its URL is https. Else by registration, or by hand."""
    found = Metadata("t", registration_url=registration_url, takes_documents=takes_documents)
    assert way(found, url) == how


def test_the_document_names_itself():
    """It is the client's id, and it has no secret."""
    assert document(DOCUMENT, BACK, "Acme") == {
        "client_id": DOCUMENT,
        "client_name": "Acme",
        "redirect_uris": [BACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
    }
    assert by_document(DOCUMENT) == Registered("document", DOCUMENT, ClientAuth.NONE)


@pytest.mark.parametrize(
    ("back", "methods", "kind", "proof"),
    [
        (BACK, ("client_secret_basic", "client_secret_post"), "web", "client_secret_post"),
        (BACK, ("client_secret_basic", "none"), "web", "client_secret_basic"),
        ("http://127.0.0.1:8080/c", ("none",), "native", "none"),
        (BACK, ("private_key_jwt",), "web", "client_secret_basic"),
    ],
)
def test_a_registration_asks_for_what_the_server_can(
    back: str, methods: tuple[str, ...], kind: str, proof: str
):
    """A secret if there can be one; never a `resource`, and scopes only where some are known."""
    asked = request(server(auth_methods=methods), back, "Acme", ("a", "b"))
    assert (asked["application_type"], asked["token_endpoint_auth_method"]) == (kind, proof)
    assert (asked["scope"], asked["redirect_uris"], "resource" in asked) == ("a b", [back], False)
    assert "scope" not in request(server(), back, "Acme", ())
    lists = server(scopes=("openid", "offline_access", "all"))
    assert request(lists, back, "Acme", ("a",))["scope"] == "a openid offline_access"


@pytest.mark.parametrize(
    ("reply", "auth", "secret", "ends"),
    [
        (said(), ClientAuth.NONE, None, None),
        (said(client_secret=""), ClientAuth.NONE, None, None),
        (said(client_secret="s", token_endpoint_auth_method="none"), ClientAuth.POST, "s", None),
        (said(200, client_secret="s", client_secret_expires_at=0), ClientAuth.POST, "s", None),
        (said(client_secret="s", client_secret_expires_at=9.5), ClientAuth.POST, "s", 9.5),
        (
            said(client_secret="s", token_endpoint_auth_method="client_secret_basic"),
            ClientAuth.BASIC, "s", None,
        ),
    ],
)  # fmt: skip
def test_what_the_server_decided_counts(
    reply: Reply, auth: ClientAuth, secret: str | None, ends: float | None
):
    """Whether there is a secret, how it is shown, and until when; nothing shows it."""
    found = read(server(auth_methods=("client_secret_post",)), reply)
    told = Secret(secret) if secret else None
    assert found == Registered("dynamic", "c-1", auth, told, ends)
    assert "'s'" not in repr(found)
    assert read(server(auth_methods=("none",)), said(client_secret="s")).client_auth == "basic"


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (said(client_id=None), "registers us without a client_id"),
        (said(client_id="a\nb"), "registers us without a client_id"),
        (said(client_id="a" * 3_000), "registers us without a client_id"),
        (said(client_secret=3), "registers us with a client_secret that is no text"),
        (said(400, error="invalid_redirect_uri"), "answers with 400 (invalid_redirect_uri)"),
        (said(403, error="x\n"), "answers with 403"),
        (Reply(502, {}, b"<html>"), "answers with 502"),
        (Reply(failure="timeout"), "does not answer: timeout"),
    ],
)
def test_a_registration_that_is_none_is_one_sentence(reply: Reply, sentence: str):
    """It names the place, and the server's code."""
    with pytest.raises(Unfit) as refused:
        read(server(), reply)
    assert str(refused.value).startswith(f"{AT} {sentence}")
