"""What a client can get wrong: each is a 4xx with one sentence, and nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.kit import Site, refused

GOOD = {"provider": "acme", "external_id": "m", "organization_id": "org"}
JSON = {"Content-Type": "application/json"}
BODIES: list[tuple[dict[str, Any], str]] = [
    ({**GOOD, "acess_token": "a"}, "acess_token: there is no such field"),
    ({"provider": "acme"}, "external_id: it is missing"),
    ({**GOOD, "external_id": 7}, "external_id"),
    ({**GOOD, "expires_in": "3600"}, "expires_in"),
    ({**GOOD, "expires_in": -1}, "expires_in"),
    ({**GOOD, "expires_in": True}, "expires_in"),
    ({**GOOD, "expires_at": "soon"}, "expires_at"),
    ({**GOOD, "access_token": "a\u0000b"}, "access_token"),
    ({**GOOD, "access_token": ["a"]}, "access_token"),
    ({**GOOD, "scopes": [1]}, "scopes"),
    ({**GOOD, "metadata": "x"}, "metadata"),
    ({**GOOD, "name": "a\u0007"}, "name"),
    ({**GOOD, "name": "n" * 600}, "name"),
    ({**GOOD, "provider": ""}, "provider"),
]


@pytest.mark.parametrize(("body", "part"), BODIES, ids=[part for _, part in BODIES])
def test_a_wrong_body_names_its_field(shared: Site, body: dict[str, Any], part: str) -> None:
    """422 with the field in the sentence and in `errors`; what was given is not repeated."""
    problem = refused(shared("PUT", "/v1/connections", json=body), 422, "invalid_body")
    assert part in problem["detail"]
    assert problem["errors"][0]["field"].split(".")[0] == part.split(":", maxsplit=1)[0]
    assert shared("GET", "/v1/connections").json()["items"] == []


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", JSON, 400, "invalid_json"),
        (b"", JSON, 400, "invalid_json"),
        (b'{"provider": NaN}', JSON, 400, "invalid_json"),
        (b"\xff\xfe", JSON, 400, "invalid_json"),
        (b'{"external_id": "\\ud800"}', JSON, 400, "invalid_json"),
        (b"[" * 100_000, JSON, 400, "invalid_json"),
        (b"[]", JSON, 422, "invalid_body"),
        (b"null", JSON, 422, "invalid_body"),
        (
            b"a=b",
            {"Content-Type": "application/x-www-form-urlencoded"},
            415,
            "unsupported_media_type",
        ),
        (b"{}", {}, 415, "unsupported_media_type"),
        (b"x" * 300_000, JSON, 413, "too_large"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    shared: Site, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """Broken JSON, another type and too much of it each have their own status."""
    answer = shared("PUT", "/v1/connections", content=content, headers=headers)
    refused(answer, status, code)


def test_a_body_without_a_length_is_cut_off_as_well(shared: Site) -> None:
    """A stream that never ends is refused as soon as it is too large."""

    async def endless() -> Any:
        for _ in range(1_000):
            yield b" " * 10_000

    refused(shared("PUT", "/v1/connections", content=endless(), headers=JSON), 413, "too_large")


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/v1/connections?limit=0", "limit"),
        ("/v1/connections?limit=201", "limit"),
        ("/v1/connections?limit=ten", "limit"),
        ("/v1/connections?state=dead", "state"),
        ("/v1/connections?reason=bored", "reason"),
        ("/v1/connections?colour=red", "colour"),
        ("/v1/connections?provider=a&provider=b", "twice"),
        ("/v1/connections?external_id=%00", "external_id"),
        ("/v1/stats?x=1", "no query parameters"),
        ("/v1/stats/history?hours=721", "hours"),
    ],
)
def test_a_wrong_query_names_its_parameter(shared: Site, path: str, part: str) -> None:
    """400 with the parameter in the sentence."""
    assert part in refused(shared("GET", path), 400, "invalid_query")["detail"]


def test_a_cursor_is_taken_back_only_where_it_was_given(shared: Site) -> None:
    """A cursor that is damaged, invented, or from another list or filter is 400."""
    for n in range(3):
        shared.world.connect(f"cursor-{n}")
    good = shared("GET", "/v1/connections?limit=1&provider=acme").json()["next_cursor"]
    events = f"/v1/connections/{shared.world.connect('cursor-0')}/events"
    bad = [good[:-3], good + "AAAA", "e30", "bnVsbA", "!", "", "é", "WyJhIiwxXQ"]
    for cursor in bad:
        answer = shared("GET", "/v1/connections", params={"cursor": cursor, "provider": "acme"})
        refused(answer, 400, "invalid_cursor")
    for path, params in (
        ("/v1/connections", {}),
        ("/v1/connections", {"provider": "paced"}),
        (events, {}),
    ):
        refused(shared("GET", path, params={**params, "cursor": good}), 400, "invalid_cursor")
    ok = shared("GET", "/v1/connections", params={"cursor": good, "provider": "acme"})
    assert ok.status_code == 200
    shared.world.run("delete from refresh_schedule")
    shared.world.run("delete from connection")


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": "3-712"},
        {"If-Match": '"a'},
        {"Idempotency-Key": ""},
        {"Idempotency-Key": "a b"},
    ],
)
def test_a_wrong_header_is_told(shared: Site, headers: dict[str, str]) -> None:
    """A header that cannot be read is 400, and is not passed over."""
    path = "/v1/connections/00000000-0000-0000-0000-000000000000/pause"
    refused(shared("POST", path, headers=headers), 400, "invalid_header")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v1/connections", "GET, HEAD, PUT"),
        ("DELETE", "/v1/whoami", "GET, HEAD"),
        ("GET", "/v1/connections/x/pause", "POST"),
    ],
)
def test_a_method_that_is_not_offered_tells_those_that_are(
    shared: Site, method: str, path: str, allowed: str
) -> None:
    """405 with `Allow`."""
    answer = shared(method, path)
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


def test_an_unknown_page_is_a_problem_too(shared: Site) -> None:
    """Every path has an answer of one form."""
    for path in ("/v1", "/v1/nothing", "/v2/connections", "/v1/connections/"):
        refused(shared("GET", path), 404, "not_found")
    refused(shared("GET", "/v1/providers/none"), 404, "no_such_provider")


def test_an_app_of_an_unknown_provider_is_told(shared: Site) -> None:
    """The sentence suggests the name that was meant, and never repeats the secret."""
    body = {"provider": "acm", "client_id": "id", "client_secret": "canary-secret"}
    answer = shared("PUT", "/v1/apps", json=body)
    assert "acme" in refused(answer, 422, "invalid_connection")["detail"]
    body = {"provider": "acme", "client_id": "i d", "client_secret": "canary secret"}
    answer = shared("PUT", "/v1/apps", json=body)
    refused(answer, 422, "invalid_body")
    assert "canary" not in answer.text


def test_a_key_that_is_none_is_told(shared: Site) -> None:
    """An app whose key signs nothing is refused, and nothing of the key is repeated."""
    body = {"provider": "acme", "client_id": "id", "client_secret": None, "private_key": "hush"}
    answer = shared("PUT", "/v1/apps", json=body)
    assert "PEM" in refused(answer, 422, "invalid_app")["detail"]
    assert "hush" not in answer.text


def test_a_database_that_is_away_is_503(shared: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller is told to come again, and not where the database is."""
    from refresher.errors import DatabaseUnavailable  # noqa: PLC0415
    from refresher.store import connections  # noqa: PLC0415

    def away(*_: object) -> None:
        raise DatabaseUnavailable("postgresql://me@secret-host/ cannot be used")

    monkeypatch.setattr(connections, "numbers", away)
    answer = shared("GET", "/v1/stats")
    refused(answer, 503, "database_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "secret-host" not in answer.text


def test_a_bug_is_500_without_a_word_of_it(
    shared: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the answer nor the log holds what the error said, or what was sent."""
    from refresher.store import connections  # noqa: PLC0415

    def broken(*_: object) -> None:
        raise ValueError("canary-in-an-error")

    monkeypatch.setattr(connections, "numbers", broken)
    refused(shared("GET", "/v1/stats"), 500, "internal")
    logged = "".join(capsys.readouterr())
    assert "ValueError" in logged
    assert "canary" not in logged.replace("raise ValueError", "").replace(
        '"canary-in-an-error"', ""
    )
