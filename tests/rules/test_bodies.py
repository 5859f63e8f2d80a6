"""Reading what arrived, however oddly it came: one table of bodies, and what is a pair in them."""

from __future__ import annotations

import gzip
import json
import zlib
from functools import partial

import pytest

from refresher.rules.answers import read_grant, read_parsed
from refresher.rules.bodies import as_object, read
from refresher.rules.connection import Secret
from refresher.rules.outcomes import (
    Malformed,
    Refreshed,
    Reply,
    Revoked,
    Transient,
    Unreadable,
    classify,
)
from refresher.rules.providers import Provider
from tests.rules.samples import EPOCH, provider

packed = partial(gzip.compress, mtime=0)
PAIR = {"access_token": "new-access", "refresh_token": "new-refresh", "expires_in": 3600}
TEXT = json.dumps(PAIR)
PLAIN = TEXT.encode()
PACKED = packed(PLAIN)
CAMEL = {"accessToken": "new-access", "refreshToken": "new-refresh", "expiresIn": 3600}
NOTICE = b"<br />\n<b>Deprecated</b>: strlen() in {main} in <b>x.php</b> on line <b>7</b><br />\n"
RAW_DEFLATE = zlib.compress(PLAIN)[2:-4]
GZIP, UTF_16 = {"Content-Encoding": "gzip"}, {"Content-Type": "application/json; charset=utf-16"}
CUT = "protocol"


def said(
    body: bytes,
    headers: dict[str, str] | None = None,
    failure: str | None = None,
    *,
    of: Provider | None = None,
    status: int = 200,
) -> object:
    """Returns what a reply means."""
    given = Reply(status, headers or {}, body, failure)
    return classify(of or provider(), given, EPOCH)


@pytest.mark.parametrize(
    ("body", "headers", "failure"),
    [
        pytest.param(PLAIN, {}, None, id="plain"),
        pytest.param(PACKED, GZIP, None, id="gzip that is announced"),
        pytest.param(PACKED, {}, None, id="gzip that is not announced"),
        pytest.param(PLAIN, GZIP, None, id="announced gzip that is plain"),
        pytest.param(PLAIN, {"Content-Encoding": "br"}, None, id="announced brotli that is plain"),
        pytest.param(packed(PACKED), {}, None, id="gzip twice"),
        pytest.param(zlib.compress(PLAIN), {}, None, id="zlib that is not announced"),
        pytest.param(RAW_DEFLATE, {"content-encoding": "deflate"}, None, id="deflate, no header"),
        pytest.param(RAW_DEFLATE, GZIP, None, id="deflate that is announced as gzip"),
        pytest.param(PACKED[:-8], GZIP, CUT, id="gzip without its checksum"),
        pytest.param(PACKED[:-1] + b"x", GZIP, None, id="gzip with a wrong checksum"),
        pytest.param(TEXT.encode("utf-16"), UTF_16, None, id="UTF-16 that is announced"),
        pytest.param(TEXT.encode("utf-16"), {}, None, id="UTF-16 by its mark"),
        pytest.param(TEXT.encode("utf-16-be"), {}, None, id="UTF-16 by its zeros"),
        pytest.param(TEXT.encode("utf-32"), {}, None, id="UTF-32"),
        pytest.param(PLAIN, UTF_16, None, id="announced UTF-16 that is UTF-8"),
        pytest.param(PLAIN, {"Content-Type": "text/x; charset=none"}, None, id="unknown charset"),
        pytest.param(PLAIN + b";", {"Content-Type": "x; charset=none"}, None, id="and text behind"),
        pytest.param(packed(TEXT.encode("utf-16")), {}, None, id="gzip of UTF-16"),
        pytest.param(PLAIN, {}, CUT, id="framing that broke after a whole object"),
        pytest.param(PLAIN, {}, "timeout", id="an end that never came"),
        pytest.param(PLAIN[:-5], {}, CUT, id="cut off after both tokens"),
        pytest.param(b"[%s]" % PLAIN, {}, None, id="a list of one"),
        pytest.param(b'[{"ok": 1}, %s]' % PLAIN, {}, None, id="a list with one that names a token"),
        pytest.param(b"[%s" % PLAIN, {}, CUT, id="a list that is cut off"),
        pytest.param(b'{"data": [%s]}' % PLAIN, {}, None, id="a list of one in data"),
        pytest.param(b'{"a": {"b": [1, %s]}}' % PLAIN, {}, None, id="somewhere within"),
        pytest.param(json.dumps({"body": TEXT}).encode(), {}, None, id="JSON in a field's text"),
        pytest.param(json.dumps(TEXT).encode(), {}, None, id="JSON in a JSON text"),
        pytest.param(json.dumps(json.dumps(TEXT)).encode(), {}, None, id="and that once more"),
        pytest.param(NOTICE + PLAIN, {}, None, id="a notice before"),
        pytest.param(PLAIN + b"\n<!-- 0.02 s -->", {}, None, id="a comment behind"),
        pytest.param(PLAIN + b"<script>x()</script>", {}, None, id="a script behind"),
        pytest.param(PLAIN + b"\0\0", {}, None, id="zeros behind"),
        pytest.param(b")]}',\n" + PLAIN, {}, None, id="a guard before"),
        pytest.param(b"callback(" + PLAIN + b");", {}, None, id="JSONP"),
        pytest.param(b'{"log": 1}\n' + PLAIN, {}, None, id="one object after the other"),
        pytest.param(PLAIN[:-1] + b",}", {}, None, id="a comma too many"),
        pytest.param(b"access_token=new-access&refresh_token=new-refresh&expires_in=3600", {}, None,
                     id="a form"),
        pytest.param(b'"access_token=new-access&refresh_token=new-refresh"', {}, None,
                     id="a form in a JSON text"),
        pytest.param(b"refresh_token=new-refresh&access_token=new-access&expires_in=36", {}, CUT,
                     id="a form that is cut off behind both tokens"),
    ],
)  # fmt: skip
def test_a_pair_is_read_however_it_comes(
    body: bytes, headers: dict[str, str], failure: str | None
) -> None:
    """M16: once the bytes are here, no odd framing, packing, encoding or wrapping loses the pair."""
    outcome = said(body, headers, failure)
    assert isinstance(outcome, Refreshed)
    assert outcome.grant.access_token == Secret("new-access")
    assert outcome.grant.refresh_token == Secret("new-refresh")
    assert outcome.grant.expires_in_seconds in {3600.0, None}


@pytest.mark.parametrize(
    "body",
    [
        b'{"access_token": "new-access", "refresh_token": "new-ref',
        b'{"access_token": "new-access", "expires_in": 3600, "re',
        b'{"access_token": "new-access"',
        b"access_token=new-access&refresh_token=new-ref",
        b"refresh_token=new-refresh&access_token=new-acc",
        b"access_token=new-access&expires_in=36",
    ],
)
def test_of_an_answer_that_broke_off_no_half_token_is_believed(body: bytes) -> None:
    """M2: nothing that may be cut off replaces a stored token; the answer is kept instead."""
    outcome = said(body, {}, CUT)
    assert isinstance(outcome, Malformed | Unreadable)
    if isinstance(outcome, Malformed):  # the refresh token stood there whole
        assert outcome.refresh_token == Secret("new-refresh")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (json.dumps(CAMEL).encode(), {}),
        (b'{"jwt": "e30.e30.e30"}', {}),
        (b'{"access": "e30.e30.e30", "refresh": "r"}', {}),
        (json.dumps(json.dumps(CAMEL)).encode(), {}),
        (b'[{"token": {"value": 1}}, {"sessionToken": "s"}]', {}),
        (
            b"<?xml version='1.0'?><r><access_token>a</access_token></r>",
            {"Content-Type": "text/xml"},
        ),
        (b"<r><AccessToken>a</AccessToken></r>", {}),
        (b"{'access_token': 'a', 'refresh_token': 'r'}", {}),
        (b"access_token: a\nrefresh_token: r\n", {}),
        (b"accessToken=a&refreshToken=r", {}),
        (b'{"accessToken": "a"}', {"Content-Type": "text/html"}),
        (bytes(range(128, 228)), {"Content-Encoding": "br"}),
        (packed(json.dumps(CAMEL).encode()), {}),
    ],
)
def test_what_looks_like_a_grant_is_held_to_be_one(body: bytes, headers: dict[str, str]) -> None:
    """M16: it names a token in whatever words and notation, or is packed beyond our means."""
    assert isinstance(said(body, headers), Unreadable)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b" \n", {}),
        (b"null", {}),
        (b"{}", {}),
        (b"OK", {}),
        (b"<html><body>Sign in. <input name=token value=x></body></html>", {}),
        (b"<!DOCTYPE html><title>token: abc</title>", {"Content-Type": "text/plain"}),
        (b"<html><pre>" + PLAIN + b"</pre></html>", {}),
        (b"<h1>Down</h1> token: abc", {"Content-Type": "text/html"}),
        (packed(b"<html>access_token=old&refresh_token=old</html>"), GZIP),
        (b'{"captcha_token": "abc", "challenge": "x"}', {}),
        (b'{"csrfToken": "abc"}', {}),
        (b'{"token_type": "bearer"}', {}),
        (b'{"token_url": "https://acme.example/token", "token": ""}', {}),
        (b'{"message": "the token endpoint is down"}', {}),
        (b"<soap:Fault><faultstring>token: none</faultstring></soap:Fault>", {}),
        (b'{"success": false, "token": "abc"}', {}),
        (b'{"ok": false, "access_token": "abc"}', {}),
        (b"\x89PNG" + bytes(range(128, 228)), {"Content-Type": "image/png"}),
        (packed(packed(b" " * 50_000_000)), GZIP),
    ],
)
def test_what_is_no_grant_is_trouble_that_passes(body: bytes, headers: dict[str, str]) -> None:
    """M3: a proxy's page, a captcha, an empty body or a bomb is tried again as ever."""
    assert said(body, headers) == Malformed("no access token in the answer", 200)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"message": "wait'])
def test_a_broken_answer_without_a_token_is_transient_as_ever(body: bytes) -> None:
    """M3: nothing token-like arrived, so the failure itself is the reason."""
    assert said(body, {}, CUT) == Transient("protocol", None, 200)
    assert said(body, {}, CUT, status=502) == Transient("protocol", None, 502)


def test_a_whole_error_counts_although_its_framing_broke() -> None:
    """M16: what arrived whole is an answer; half an error is none."""
    body = b'{"error": "invalid_grant"}'
    assert said(body, {}, CUT, status=400) == Revoked("invalid_grant", 400)
    assert said(body[:-2], {}, CUT, status=400) == Transient("protocol", None, 400)


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        ({"access_token": ("accessToken",), "refresh_token": ("refreshToken",),
          "expires_in": ("expiresIn",)}, CAMEL),
        ({"access_token": ("tokens", 0, "value"), "refresh_token": ("tokens", 1, "value"),
          "expires_in": ("life",)},
         {"tokens": [{"value": "new-access"}, {"value": "new-refresh"}], "life": "3600"}),
    ],
)  # fmt: skip
def test_the_catalogue_names_the_fields_of_an_answer(
    names: dict[str, tuple[str | int, ...]], answer: dict[str, object]
) -> None:
    """Where the names are given the answer is read; the standard ones are read beside them."""
    of = provider(answer_names=names)
    for given in (answer, PAIR):
        outcome = said(json.dumps(given).encode(), of=of)
        assert isinstance(outcome, Refreshed)
        assert outcome.grant.refresh_token == Secret("new-refresh")
        assert outcome.grant.expires_in_seconds == 3600.0


def test_a_parsed_answer_means_what_it_means_on_the_wire() -> None:
    """Whoever hands an answer in has it read by the same rules: path, names, lives."""
    of = provider(response_path=("data",), answer_names={"access_token": ("accessToken",)})
    answer = read_parsed(of, [{"data": [{"accessToken": "a", "expires_on": str(EPOCH + 20)}]}])
    grant = read_grant(of, answer, EPOCH)
    assert grant is not None
    assert (grant.access_token, grant.expires_in_seconds) == (Secret("a"), 20.0)
    assert read_parsed(provider(), 7) == {}
    assert read_parsed(provider(), {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        ({"error": "no", "data": {"access_token": "a"}}, None),
        ({"a": {"access_token": "a"}, "b": {"access_token": "b"}}, None),
        ({"a": {"access_token": "a"}, "b": [{"access_token": ""}]}, "a"),
        ({"a": [[0]] * 300, "b": {"access_token": "b"}}, "b"),
        ({"b": {"access_token": "b"}, "a": [[0]] * 300}, None),
    ],
)
def test_a_token_within_an_answer_counts_when_it_is_the_only_one(
    answer: dict[str, object], token: str | None
) -> None:
    """It is looked for where there is no error and none at its place, and not without end."""
    grant = read_grant(provider(), answer, EPOCH)
    assert (grant.access_token if grant else None) == (Secret(token) if token else None)


def test_what_is_packed_in_texts_without_end_is_left() -> None:
    """Each layer of text and list costs a look, so there are three."""
    deep: object = PAIR
    for _ in range(4):
        deep = [json.dumps(deep)]
    assert as_object(deep) is None
    assert as_object([[[PAIR]]]) == PAIR
    assert as_object([PAIR, PAIR]) is None


def test_many_braces_that_open_nothing_end_the_search() -> None:
    """A text is looked through for objects within bounds."""
    assert read(b"x " + b"{ " * 1_000 + PLAIN) == {}
    assert read(b"x {" + b"[" * 100_000 + b" " + PLAIN) == PAIR
