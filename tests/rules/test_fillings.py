"""What refresher fills in itself, and whose value a placeholder gets."""

from __future__ import annotations

from typing import Any

import pytest

from refresher.outbound.sender import write
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.fillings import Filling, Stamp, check_values, tokens_named
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy
from refresher.rules.requests import TokenRequest, build_request

URL = "https://acme.example/token"
APP = ClientCredentials("an-id", Secret("app-secret"))
PUBLIC = ClientCredentials("an-id", None)
PLACED = "https://{host}/{base}/token"
PATHS: dict[str, Any] = {
    "host_pattern": r"[a-z]+\.acme\.example",
    "placeholders": {"base": "[a-z/]+", "key": "[a-z :/.]+"},
    "path_placeholders": ("base",),
    "default_placeholders": {"base": ""},
}


def request(
    provider: Provider, client: ClientCredentials | None = APP, **given: Any
) -> TokenRequest:
    """The request of an entry for sample tokens."""
    tokens = {"access_token": Secret("old-access"), "refresh_token": Secret("old-refresh")}
    return build_request(
        provider, client=client, draw=lambda: Stamp(1_700_000_000.9, "u-1"), **(tokens | given)
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{client_id}", "an-id"),
        ("Client {client_secret}", "Client app-secret"),
        ("ID {client_basic}", "ID YW4taWQ6YXBwLXNlY3JldA=="),
        ("Bearer {access_token}", "Bearer old-access"),
        ("{refresh_token}", "old-refresh"),
        ("{scope}", "read,write"),
        ("{now}", "1700000000"),
        ("{uuid}/{uuid}", "u-1/u-1"),
        ("plain", "plain"),
        ('{"a": {"b": null}}', '{"a": {"b": null}}'),
    ],
)
def test_reserved_names_are_filled_in_wherever_values_are_sent(text: str, value: str):
    """In parameters, headers and the query, each time the same within one request."""
    table = {"X-It": text}
    provider = Provider(
        "acme", URL, parameters=table, headers=table, query=table, scope_separator=","
    )
    made = request(provider, scopes=("read", "write"))
    assert made.parameters["X-It"] == made.headers["X-It"] == value
    assert made.query == {"X-It": value}


@pytest.mark.parametrize(
    ("text", "given", "sentence"),
    [
        ("{access_token}", {"access_token": None}, "the connection stores no access token"),
        ("{client_id}", {"client": None}, "no app is configured for provider acme"),
        ("{client_secret}", {"client": PUBLIC}, "{client_secret} is asked for, but the app has no"),
        ("{access_token}", {"access_token": Secret("a\nX: b")}, "header X-It has characters of no"),
    ],
)
def test_what_is_missing_is_a_sentence(text: str, given: dict[str, Any], sentence: str):
    """Nothing is sent then; and no stored token ends its header."""
    provider = Provider("acme", URL, headers={"X-It": text}, client_auth=ClientAuth.NONE)
    with pytest.raises(UnbuildableRequest) as refused:
        request(provider, **given)
    assert sentence in str(refused.value)


def test_a_query_stands_beside_the_body_and_is_no_part_of_the_place():
    """Whoever remembers where a request went remembers no key of it."""
    for body in (BodyForm.FORM, BodyForm.JSON):
        provider = Provider(
            "acme",
            URL + "?v=1",
            body=body,
            query={"key": "{key}"},
            placeholders={"key": "[a-z &]+"},
        )
        wire = write(request(provider, placeholders={"key": "a &b"}))
        assert wire.url == URL + "?v=1&key=a+%26b"
        assert wire.place == URL + "?v=1"
        assert b"old-refresh" in (wire.content or b"")


@pytest.mark.parametrize(
    ("host", "own", "of_app", "url", "key"),
    [
        ("eu.acme.example", {"key": "mine"}, {}, "https://eu.acme.example/token", "mine"),
        (
            "eu.acme.example",
            {"base": "a/b"},
            {"key": "k"},
            "https://eu.acme.example/a/b/token",
            "k",
        ),
        (None, {}, {"host": "us.acme.example", "key": "https://app.example/x"}, None, None),
        (None, {"key": ""}, {"host": "us.acme.example", "key": "k", "base": "x"}, None, "k"),
        ("eu.acme.example", None, {"host": "us.acme.example", "key": "k"}, None, "k"),
    ],
)
def test_a_value_is_the_connection_s_or_its_app_s_or_the_entry_s(
    host: str | None,
    own: dict[str, str] | None,
    of_app: dict[str, str],
    url: str | None,
    key: str | None,
):
    """In this order, each checked against the entry's pattern; an empty base path leaves no slash."""
    provider = Provider("acme", PLACED, parameters={"key": "{key}"}, **PATHS)
    client = ClientCredentials("an-id", None, placeholders=of_app)
    made = request(provider, client, host=host, placeholders=own)
    base = f"/{of_app['base']}" if "base" in of_app else ""
    assert made.url == (url or f"https://{host or of_app['host']}{base}/token")
    assert made.parameters["key"] == (key or of_app["key"])


@pytest.mark.parametrize(
    "base", ["..", "a/../b", "/a", "a/", "a//b", "a/.", "a b", "a/b?c", "a/b#c", "a%2fb", "a@b"]
)
def test_a_path_leaves_its_place_nowhere(base: str):
    """Whatever the pattern says, and whoever brought it: no dots alone, no empty segment, no query."""
    provider = Provider("acme", PLACED, **{**PATHS, "placeholders": {"base": "(?s:.+)"}})
    brings = ClientCredentials("an-id", None, placeholders={"base": base})
    for client, own in ((APP, {"base": base}), (brings, None)):
        with pytest.raises(UnbuildableRequest, match="stands in a URL"):
            request(provider, client, host="eu.acme.example", placeholders=own)


def test_an_app_sends_no_token_to_another_server():
    """A host that an app brings must match the pattern like a connection's."""
    brings = ClientCredentials("an-id", None, placeholders={"host": "evil.example"})
    with pytest.raises(UnbuildableRequest, match="does not match"):
        request(Provider("acme", PLACED, **PATHS), brings)


def test_only_the_tokens_that_are_named_are_opened():
    """By the tables of the request that is built."""
    assert tokens_named({}, {"a": "{access_token}{scope}"}) == {"access_token"}
    assert tokens_named({"a": "{refresh_token}"}, {"b": "{token}"}) == {"refresh_token"}


@pytest.mark.parametrize(
    ("values", "of_app", "sentence"),
    [
        ({"base": "a/b", "key": "k"}, (), None),
        ({}, ("key",), None),
        ({}, (), "placeholders.key is missing"),
        ({"key": "K"}, ("key",), "does not match the pattern"),
    ],
)
def test_at_the_door_nobody_is_asked_for_what_the_app_or_the_entry_has(
    values: dict[str, str], of_app: tuple[str, ...], sentence: str | None
):
    """What a connection brings all the same is checked."""
    provider = Provider("acme", PLACED, parameters={"k": "{key}", "t": "{access_token}"}, **PATHS)
    if sentence is None:
        check_values(provider, "eu.acme.example", values, of_app)
        check_values(provider, None, values, {*of_app, "host"})
        return
    with pytest.raises(UnbuildableRequest, match=sentence):
        check_values(provider, "eu.acme.example", values, of_app)


@pytest.mark.parametrize(
    ("provider", "named", "needed"),
    [
        (Provider("a", URL, client_auth=ClientAuth.NONE), {"client_id": "an-id"}, True),
        (Provider("a", URL, client_auth=ClientAuth.NONE, send_client_id=False), {}, False),
        (
            Provider(
                "a", URL, client_auth=ClientAuth.NONE, grant_type="x",
                strategy=Strategy.LONG_LIVED_EXCHANGE,
            ),
            {},
            False,
        ),
    ],
)  # fmt: skip
def test_an_entry_may_keep_the_app_s_name_to_itself(
    provider: Provider, named: dict[str, str], needed: bool
):
    """Without authentication a client names itself, unless the entry says that it does not."""
    parameters = request(provider).parameters
    assert {k: v for k, v in parameters.items() if k.startswith("client")} == named
    assert provider.needs_app is needed


def test_scopes_are_joined_as_the_entry_says():
    """With commas, for some."""
    provider = Provider("acme", URL, send_scope=True, scope_separator=",")
    assert request(provider, scopes=("a", "b")).parameters["scope"] == "a,b"
    assert "scope" not in request(provider).parameters


def test_no_number_is_drawn_that_nobody_asked_for():
    """Neither clock nor dice cost a request anything that names neither."""
    filling = Filling("acme", None, {}, "", None)
    assert filling.value("scope") == ""
    assert filling.value("tenant") is None
