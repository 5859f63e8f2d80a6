"""The table of what comes over the wire, end to end: both senders, the whole story, real Postgres."""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import timedelta

import pytest

from tests.outbound.servers import answer
from tests.refresh.answers.conftest import Stage
from tests.rules.samples import jwt
from tests.world import START

PAIR = {"access_token": "new-access", "refresh_token": "new-refresh", "expires_in": 3600}
TEXT = json.dumps(PAIR)
PLAIN = TEXT.encode()
CAMEL = {"accessToken": "new-access", "refreshToken": "new-refresh", "expiresIn": 3600}
NAMES = (
    'answer_names = { access_token = "accessToken", refresh_token = "refreshToken", '
    'expires_in = "expiresIn" }'
)
NOW = START.timestamp()
OK, BAD = "200 OK", "400 Bad Request"


def says(value: object, status: str = OK, *headers: str) -> bytes:
    """Returns a whole response with this JSON."""
    return answer(json.dumps(value).encode(), status, *headers)


def head(*headers: str) -> bytes:
    """Returns the beginning of a response whose framing is a case of its own."""
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode()


FRAMES = {
    "gzip-announced": (answer(gzip.compress(PLAIN), OK, "Content-Encoding: gzip"), ""),
    "gzip-not-announced": (answer(gzip.compress(PLAIN), OK, "Content-Type: application/json"), ""),
    "gzip-announced-but-plain": (answer(PLAIN, OK, "Content-Encoding: gzip"), ""),
    "gzip-twice": (answer(gzip.compress(gzip.compress(PLAIN)), OK, "Content-Encoding: gzip"), ""),
    "zlib": (answer(zlib.compress(PLAIN)), ""),
    "brotli-announced-but-plain": (answer(PLAIN, OK, "Content-Encoding: br"), ""),
    "utf-16": (answer(TEXT.encode("utf-16"), OK, "Content-Type: text/json; charset=utf-16"), ""),
    "utf-32-by-its-mark": (answer(TEXT.encode("utf-32")), ""),
    "no-last-chunk": (
        head("Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (len(PLAIN), PLAIN),
        "",
    ),
    "two-bytes-short": (head(f"Content-Length: {len(PLAIN) + 2}") + PLAIN, ""),
    "cut-off-after-the-pair": (head("Content-Length: 999") + PLAIN[:-6], ""),
    "until-it-hangs-up": (head() + PLAIN, ""),
    "a-list-of-one": (says([PAIR]), ""),
    "a-list-in-data": (says({"data": [PAIR]}), ""),
    "a-list-in-data-by-its-path": (says({"data": [PAIR]}), 'response_path = ["data"]'),
    "a-place-in-a-list": (says({"all": [1, PAIR]}), 'response_path = ["all", 1]'),
    "json-in-a-text": (says(TEXT), ""),
    "a-notice-before": (answer(b"<br />\n<b>Deprecated</b>: x<br />\n" + PLAIN), ""),
    "a-comment-behind": (answer(PLAIN + b"\n<!-- 0.02 s -->"), ""),
    "a-form": (answer(b"access_token=new-access&refresh_token=new-refresh&expires_in=3600"), ""),
    "other-names": (says(CAMEL), NAMES),
}


def test_a_pair_that_arrived_is_stored_whatever_frames_it(stage: Stage) -> None:
    """M16: from exact bytes to the sealed pair, with one request for each."""
    world, ids = stage.world, stage.play(FRAMES)

    world.tick()

    stored = {n: (world.token(i), world.token(i, "refresh_token")) for n, i in ids.items()}
    assert stored == dict.fromkeys(FRAMES, ("new-access", "new-refresh"))
    assert {n: stage.asked(n) for n in FRAMES} == {n: [f"refresh-of-{n}"] for n in FRAMES}
    assert {world.row(i).status for i in ids.values()} == {"active"}


SOON = START + timedelta(seconds=20)
LIVES: dict[str, tuple[dict[str, object], str, int]] = {
    "iso": ({"expires_at": SOON.isoformat()}, "", 20),
    "epoch": ({"access_token_expire_in": NOW + 20}, "", 20),
    "milliseconds-since": ({"expires_at": (NOW + 20) * 1000}, "", 20),
    "another-name": ({"expire_in": 20}, "", 20),
    "epoch-as-text": ({"expires_on": str(int(NOW + 20))}, "", 20),
    "a-name-of-its-own": ({"ttl": 20}, 'access_token_lifetime_fields = ["ttl"]', 20),
    "a-jwt-that-is-sooner": ({"access_token": jwt({"exp": NOW + 20}), "expires_in": 3600}, "", 20),
    "a-jwt-alone": ({"access_token": jwt({"exp": NOW + 1800})}, "", 1800),
    "milliseconds-beside-seconds": ({"expires_in": 3600000, "expires_in_sec": 3600}, "", 3600),
    "milliseconds": ({"expires_in": 3600000}, "access_token_lifetime_seconds = 3600", 3600),
    "absurd": ({"expires_in": 1e300}, "access_token_lifetime_seconds = 900", 900),
    "zero": ({"expires_in": 0}, "", 0),
    "negative": ({"expires_in": -3}, "", 0),
    "a-jwt-that-is-over": ({"access_token": jwt({"exp": NOW - 5})}, "", 0),
}


def test_a_life_is_the_shortest_that_was_told(stage: Stage) -> None:
    """M18: an end that is over is due again within seconds, and never a good token."""
    world = stage.world
    told = {n: says({**PAIR, "expires_in": None, **told}) for n, (told, _, _) in LIVES.items()}
    ids = stage.play({n: (told[n], lines) for n, (_, lines, _) in LIVES.items()})

    world.tick()

    rows = {n: world.row(i) for n, i in ids.items()}
    lives = {n: (row.expires_at - START).total_seconds() for n, row in rows.items()}
    # The time that the exchange took is taken off.
    assert lives == {n: pytest.approx(life, abs=15) for n, (_, _, life) in LIVES.items()}
    assert {n for n, life in lives.items() if life == 0} == {n for n in LIVES if not LIVES[n][2]}
    dues = {n: (row.due_at - START).total_seconds() for n, row in rows.items()}
    for name, (_, _, life) in LIVES.items():
        assert 0 < dues[name] <= (0.9 * life if life else 5), name
        assert rows[name].state == 0


@pytest.mark.slow
def test_an_endpoint_that_gives_dead_tokens_is_not_hammered(stage: Stage) -> None:
    """M18: the waits grow to a minute, and later on; the first living token ends it."""
    world = stage.world
    ids = stage.play({"stale": (says({**PAIR, "expires_in": 0}), "")})
    for _ in range(600):
        world.pass_time(1)
        world.tick()
    assert 8 <= len(stage.asked("stale")) <= 20

    stage.said["stale"] = says({**PAIR, "access_token": "living"})
    world.pass_time(3600)
    world.tick()

    row = world.row(ids["stale"])
    assert (world.token(ids["stale"]), row.attempt) == ("living", 0)


ENDS: dict[str, tuple[dict[str, object], str, int | None]] = {
    "told": ({"refresh_token_expires_in": 600}, "", 600),
    "none-by-zero": ({"refresh_expires_in": 0}, "", None),
    "a-new-token-without-an-end": ({}, "", None),
    "a-new-token-with-a-usual-end": ({}, "refresh_token_lifetime_seconds = 5000", 5000),
    "no-new-token": ({"refresh_token": None}, "refresh_token_lifetime_seconds = 5000", 900),
    "no-token-ever": (
        {"refresh_token": None},
        'refresh_token_lifetime_seconds = 5000\nrotation = "never"',
        5000,
    ),
    "a-fixed-end": ({}, 'refresh_token_clock = "fixed"', 900),
}


def test_an_end_belongs_to_its_refresh_token(stage: Stage) -> None:
    """M9, M18: it was 900 s; what the answer brings decides whether that still holds."""
    world = stage.world
    ids = stage.play({n: (says({**PAIR, **t}), lines) for n, (t, lines, _) in ENDS.items()})

    world.tick()

    rows = world.rows("select id, refresh_token_expires_at as ends from connection")
    ends = {row.id: row.ends and (row.ends - START).total_seconds() for row in rows}
    assert {n: ends[i] for n, i in ids.items()} == {n: end for n, (_, _, end) in ENDS.items()}


FITBIT = {"errors": [{"errorType": "invalid_grant", "message": "it is gone"}], "success": False}
DEAD = {
    "an-array": (says(FITBIT, BAD), 'error_path = ["errors", 0, "errorType"]'),
    "an-array-by-a-text": (says(FITBIT, BAD), 'error_path = ["errors", "0", "errorType"]'),
    "a-tail": (says({"error": "invalid_grant: Token is expired or invalid."}, BAD), ""),
    "a-head": (says({"error": "failed to refresh token: invalid_grant"}, BAD), ""),
    "status-500": (
        says({"error": "invalid_grant"}, "500 Oops"),
        'dead_grant_errors = ["invalid_grant"]',
    ),
    "another-field": (
        says({"code": 400, "error_code": "refresh_token_not_found"}, BAD),
        'error_path = ["error_code"]\ndead_grant_errors = ["refresh_token_not_found"]',
    ),
    "an-error-that-broke-off": (
        b'HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\n{"error": "invalid_grant"}',
        "",
    ),
}
LIVING = {
    "status-500-by-default": (says({"error": "invalid_grant"}, "500 Oops"), ""),
    "a-mention": (says({"error": "oops", "error_description": "not invalid_grant"}, BAD), ""),
    "an-exception": (
        says({"error": "invalid_grant: in use", "error_description": "retry"}, BAD),
        'retry_errors = ["invalid_grant: in use"]',
    ),
}


def test_a_dead_grant_is_understood_in_every_spelling_and_no_other(stage: Stage) -> None:
    """M3: those end at once, in one request; what merely resembles them is tried again."""
    world, ids = stage.world, stage.play({**DEAD, **LIVING})

    world.tick()

    ended = {n for n, i in ids.items() if world.row(i).status == "reconnect_required"}
    assert ended == set(DEAD)
    assert all(world.row(ids[n]).state == 0 for n in LIVING)


def test_the_end_is_told_in_the_provider_s_words(stage: Stage) -> None:
    """Google's daily `invalid_rapt`: the event and the notice say why, the cause stays the code."""
    world = stage.world
    said = {
        "error": "invalid_grant",
        "error_description": "reauth related error (invalid_rapt)",
        "error_subtype": "invalid_rapt",
    }
    ids = stage.play({"google-like": (says(said, BAD), "")})

    world.tick()

    words = "invalid_grant: reauth related error (invalid_rapt); invalid_rapt"
    event = world.one("select reason from refresh_event where kind = 'revoked'")
    assert event.reason == words
    assert world.row(ids["google-like"]).status_cause == "invalid_grant"
    payload = world.one("select payload from outbox").payload
    assert (payload["cause"], payload["detail"]) == ("invalid_grant", words)
