"""What resource servers say of themselves (RFC 9728), and what is refused of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from refresher.catalogue.discovery import Unfit, onward
from refresher.catalogue.protected_resources import (
    ResourceMetadata,
    chosen,
    normalised,
    places,
    read,
)
from refresher.rules.connection import Reply

SERVER = "https://mcp.example/a/mcp"
PLACE = "https://mcp.example/.well-known/oauth-protected-resource/a/mcp"
ROOT = "https://mcp.example/.well-known/oauth-protected-resource"
AUTH = "https://auth.example"


def said(**fields: Any) -> Reply:
    """Returns a good answer with other fields; those that are None are left out."""
    given = {"resource": SERVER, "authorization_servers": [AUTH], **fields}
    return Reply(200, {}, json.dumps({n: v for n, v in given.items() if v is not None}).encode())


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("HTTPS://MCP.Example:443/A/mcp", "https://mcp.example/A/mcp"),
        ("https://mcp.example/", "https://mcp.example"),
        ("https://mcp.example/mcp/", "https://mcp.example/mcp/"),
        ("https://mcp.example:8443/?a=b", "https://mcp.example:8443/?a=b"),
        ("http://[::1]:3000/mcp", "http://[::1]:3000/mcp"),
    ],
)
def test_a_url_has_one_form(url: str, same: str):
    """That is what is compared, and sent as `resource`."""
    assert normalised(url, allow_loopback=True) == same


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://mcp.example", "server_url must begin with https://, for tokens travel there"),
        ("http://127.0.0.1/mcp", "which REFRESHER_ALLOW_INSECURE_HOSTS forbids"),
        ("javascript:alert(1)", "server_url must begin with https:// and name a server"),
        ("file:///etc/passwd", "server_url must begin with https:// and name a server"),
        ("https://u:p@mcp.example", "server_url must not hold a user or a password"),
        ("https://mcp.example#a", "server_url must not hold a fragment"),
        ("https://mcp.example/{host}", "holds a character that no URL may hold"),
        ("https://mcp.example/ a", "holds a character that no URL may hold"),
        ("https://mcp.example/" + "a" * 2_000, "server_url is longer than 2,000 characters"),
        ("", "server_url must begin with https:// and name a server"),
    ],
)
def test_what_is_no_url_of_a_server_is_one_sentence(url: str, sentence: str):
    """Nothing is asked before it is one."""
    with pytest.raises(Unfit) as refused:
        normalised(url, allow_loopback=False)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("server", "named", "where"),
    [
        (SERVER, None, (PLACE, ROOT)),
        (SERVER + "?a=b", None, (PLACE + "?a=b", ROOT)),
        ("https://mcp.example", None, (ROOT,)),
        (SERVER, "https://MCP.example:443/meta", ("https://MCP.example:443/meta",)),
    ],
)
def test_metadata_stands_where_the_challenge_says_or_at_the_well_known_places(
    server: str, named: str | None, where: tuple[str, ...]
):
    """First with the path of the server, then without."""
    assert places(server, named) == where


@pytest.mark.parametrize(
    "named", ["https://evil.example/meta", "https://mcp.example:444/meta", "http://mcp.example/m", "x"]
)  # fmt: skip
def test_a_challenge_that_leads_to_a_stranger_is_refused(named: str):
    """Metadata is believed on the server itself only."""
    with pytest.raises(Unfit, match="stands on another server"):
        places(SERVER, named)


@pytest.mark.parametrize(
    ("resource", "is_parent"),
    [
        (SERVER, False),
        ("https://MCP.example:443/a/mcp", False),
        ("https://mcp.example/a", True),
        ("https://mcp.example/a/", True),
        ("https://mcp.example/a/mcp/", True),
        ("https://mcp.example/", True),
        ("https://mcp.example", True),
    ],
)
def test_a_resource_may_be_above_the_server(resource: str, is_parent: bool):
    """By whole segments; what it says is sent as it says it."""
    found = read(SERVER, PLACE, said(resource=resource, scopes_supported=["a", "b"]))
    assert found == ResourceMetadata(resource, (AUTH,), ("a", "b"), PLACE, is_parent)


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (said(resource="https://mcp.example/a/m"), "is the metadata of another resource"),
        (said(resource="https://mcp.example/a?x=1"), "is the metadata of another resource"),
        (said(resource="https://evil.example"), "another resource (https://evil.example instead"),
        (said(resource="http://mcp.example"), "names no resource that could be asked for"),
        (said(resource=None), "names no resource that could be asked for"),
        (said(resource="https://mcp.example\nx"), "names no resource that could be asked for"),
        (said(resource="https://mcp.example/" + "a" * 2_000), "names no resource that could"),
        (said(authorization_servers=None), "names no authorization server"),
        (said(authorization_servers=[]), "names no authorization server"),
        (said(authorization_servers=["javascript:x"]), "authorization_servers must begin with"),
        (Reply(404, {}, b""), "answers with 404"),
    ],
)
def test_metadata_that_does_not_fit_is_one_sentence(reply: Reply, sentence: str):
    """It names the place and what is wrong."""
    with pytest.raises(Unfit) as refused:
        read(SERVER, PLACE, reply)
    assert str(refused.value).startswith(PLACE)
    assert sentence in str(refused.value)


def test_the_first_issuer_counts_unless_another_knows_us():
    """So a server that adds one does not move its connections."""
    found = ResourceMetadata(SERVER, ("https://a.example", "https://b.example"))
    assert chosen(found, {"https://b.example", "https://c.example"}) == "https://b.example"
    assert chosen(found, ()) == "https://a.example"


@pytest.mark.parametrize(
    ("status", "location", "leads"),
    [
        (302, "/b", "https://mcp.example/b"),
        (308, "https://c.example/d?e=f", "https://c.example/d?e=f"),
        (200, "/b", None),
        (304, "/b", None),
    ],
)
def test_a_redirect_leads_on(status: int, location: str, leads: str | None):
    """To a place of its own, or to another server."""
    reply = Reply(status, {"location": location}, b"")
    assert onward(PLACE, reply, allow_loopback=False) == leads


@pytest.mark.parametrize(
    "location",
    [
        "http://mcp.example/b",
        "javascript:x",
        "https://u:p@c.example",
        "https://[",
        "",
        "https://{host}/",
    ],
)
def test_a_redirect_to_what_is_no_place_is_refused(location: str):
    """Plain http, a script, credentials, nothing."""
    with pytest.raises(Unfit, match="answers with a redirect that is not followed: it "):
        onward(PLACE, Reply(302, {"location": location}, b""), allow_loopback=False)
