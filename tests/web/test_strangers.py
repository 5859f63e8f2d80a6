"""What strangers send: headers, keys and texts that are made to cost time or memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from refresher.rules import resume_links
from refresher.rules.access import presented
from refresher.rules.addresses import RECONNECT_WORDS, address_fault, template_fault
from refresher.rules.masking import is_secret_name, mask
from refresher.rules.webhooks import filter_faults
from refresher.web import paging, reading
from refresher.web.problems import Problem
from tests.web.kit import Site, refused
from tests.world import World

SMALL, LARGE = 16_384, 262_144
CHEAP_SECONDS = 0.1
"""What costs less for 256 kB needs no second look."""
TAG = b"if-match"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b'"3-712"', {"3-712"}),
        (b' \t"3-712"\t ', {"3-712"}),
        (b'"a", W/"b" ,"c"', {"a", "b", "c"}),
        (b'"a,b"', {"a,b"}),
        (b'"a",, "b",', {"a", "b"}),
        (b'""', {""}),
        (b"*", None),
        (b" * ", None),
        (b"", "refused"),
        (b" , ,", "refused"),
        (b"3-712", "refused"),
        (b'"a" "b"', "refused"),
        (b'"a', "refused"),
        (b'"a\x00b"', "refused"),
        (b'*, "a"', "refused"),
        (b'x "a"', "refused"),
        (b'"' + b"a" * 1_100 + b'"', "refused"),
    ],
)
def test_an_entity_tag_is_read_as_it_is_written(given: bytes, expected: object) -> None:
    """Lists, weak tags and empty members are taken; anything else, and all beyond 1 kB, is 400."""
    try:
        found: object = reading.if_match({TAG: given})
    except Problem as problem:
        found = "refused" if problem.status == 400 else problem
    assert found == expected


UNITS = (
    *(
        "a",
        " ",
        "\t",
        "\n",
        '"',
        "\\",
        ",",
        "=",
        "{",
        "}",
        "@",
        ".",
        "_",
        "-",
        "%",
        "&",
        "é",
        "\u202e",
    ),
    *(
        '"a",',
        "a.",
        "a@",
        "{a",
        "a=b&",
        "://a:b",
        "auth",
        "authcode ",
        "eyJaaaaaa-",
        "eyJaaaa.",
        "rfr_",
    ),
    *(
        'secret="',
        'secret="\\"',
        "cookie:\n",
        "cookie ",
        "bearer  ",
        "A1b2C3d4-",
        "token=",
        "code%3d",
    ),
    *("a_token_", "api_", "gh", "1//", "[", '{"a":', "(a+", "W/"),
)
READERS: dict[str, Callable[[str], object]] = {
    "If-Match": lambda s: reading.if_match({TAG: s.encode()}),
    "If-Match, its pattern": reading._tags,
    "Idempotency-Key": lambda s: reading.idempotency_key({b"idempotency-key": s.encode()}),
    "Authorization": lambda s: presented(f"rfr_{s}"),
    "query": lambda s: reading.parameters(s.encode()),
    "id": reading.path_id,
    "cursor": lambda s: paging.read("x", s, [int]),
    "link": lambda s: resume_links.verify(f"rsm_{s}", {b"key1": b"k" * 32}),
    "name beside a link": lambda s: resume_links.recorded({s: 1}, frozenset({"ab"})),
    "value beside a link": lambda s: resume_links.recorded({"a": s}, frozenset({"ab"})),
    "template": lambda s: template_fault(f"https://x/{s}", RECONNECT_WORDS),
    "address": address_fault,
    "event filter": lambda s: filter_faults([s], ["a.b"]),
    "log": mask,
    "log, a name": is_secret_name,
}


def cost(read: Callable[[str], object], text: str) -> float:
    """Returns this thread's own CPU seconds for reading a text, whatever comes of it."""
    before = time.thread_time()
    with suppress(Problem, ValueError):
        read(text)
    return time.thread_time() - before


SLOW = ("address", "log")
"""They read in one pass as well, but more thoroughly."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in READERS]
)
def test_no_text_costs_more_than_its_length(name: str) -> None:
    """16 times as much of the worst texts costs some 16 times as much CPU; 256 would be square."""
    read = READERS[name]
    for unit in UNITS:
        large = cost(read, (unit * LARGE)[:LARGE])
        if large > CHEAP_SECONDS:
            small = min(cost(read, (unit * SMALL)[:SMALL]) for _ in range(2))
            assert large < 64 * small, f"{name}: {large:.3f} s for 256 kB of {unit!r}"


def test_a_body_in_many_pieces_is_read_in_one_pass(site: Site) -> None:
    """256 kB that come byte by byte are put together without copying what came before."""

    async def pieces(count: int) -> float:
        left = iter([b"x"] * count)

        async def receive() -> dict[str, Any]:
            piece = next(left, None)
            return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

        before = time.thread_time()
        body = await reading.body(receive, {}, at_most=count)
        assert len(body) == count
        return time.thread_time() - before

    small = min(site.run(pieces(SMALL)) for _ in range(2))
    assert site.run(pieces(LARGE)) < 64 * small


def test_a_length_of_many_digits_is_too_large(shared: Site) -> None:
    """A Content-Length that is no number any more is 413, and no bug."""

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body is not read")

    with pytest.raises(Problem) as raised:
        shared.run(reading.body(receive, {b"content-length": b"9" * 6_000}, at_most=10))
    assert raised.value.code == "too_large"


def test_too_many_parameters_are_refused(shared: Site) -> None:
    """More than a hundred are a 400 in one sentence."""
    answer = shared("GET", "/v1/connections?" + "&".join(f"a{n}=1" for n in range(101)))
    assert "100" in refused(answer, 400, "invalid_query")["detail"]


def test_of_many_faults_twenty_are_told(shared: Site) -> None:
    """A refusal is not many times as large as what was sent, and says how many more there are."""
    choices = {f"kind-{n}": "none" for n in range(8_000)}
    body = {"address": "a@b.example", "organization_id": "org", "choices": choices}
    answer = shared("PUT", "/v1/recipients", json=body)
    problem = refused(answer, 422, "invalid_body")
    assert len(problem["errors"]) == 20
    assert "(and 7999 more)" in problem["detail"]
    assert len(answer.content) < 8_192


@pytest.mark.parametrize("name", ["Authorization", "Content-Type", "Idempotency-Key"])
def test_a_header_that_stands_once_is_refused_twice(shared: Site, name: str) -> None:
    """Of two, a proxy may have looked at the other one; also when both say the same."""
    values = {"Authorization": f"Bearer {shared.key}", "Content-Type": "application/json"}
    pairs = [*values.items(), (name, values.get(name, "k")), (name, values.get(name, "k"))]
    answer = shared.run(
        shared._client.request("PUT", "/v1/connections", headers=pairs, content=b"{}")
    )
    assert name.lower() in refused(answer, 400, "invalid_header")["detail"]


def test_lines_of_a_list_are_one_list() -> None:
    """Two If-Match lines count both (RFC 9110)."""
    given = reading.headers([(TAG, b'"a"'), (b"x", b"1"), (TAG, b'"b"')])
    assert reading.if_match(given) == frozenset({"a", "b"})


PATHS = [
    "/v1/whoami",
    "/v1/nothing",
    "/v1/connections/x/token",
    "/docs",
    "/openapi.json",
    "/",
    "/v1/resume/x",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("keyed", [True, False])
def test_every_answer_forbids_guessing(shared: Site, path: str, keyed: bool) -> None:
    """Each has nosniff, and what the API answers is stored nowhere."""
    answer = shared("GET", path, **({} if keyed else {"key": None}))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in answer.headers
    if path.startswith("/v1"):
        assert answer.headers["cache-control"] == "no-store"


def test_https_only_is_told_where_it_is_set(database_url: str) -> None:
    """REFRESHER_HSTS_SECONDS puts Strict-Transport-Security on every answer."""
    world = World(database_url, hsts_seconds=31_536_000)
    with Site.opened(world) as site:
        for path in ("/v1/whoami", "/docs", "/nothing"):
            assert site("GET", path).headers["strict-transport-security"] == "max-age=31536000"
    world.close()
