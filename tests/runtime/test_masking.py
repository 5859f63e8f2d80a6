"""The second net: whatever looks like a secret is masked, and what people need stays readable."""

import base64
import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refresher.rules.masking import MASK, is_secret_name, mask, masked

B64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
TOKENS = st.text(B64 + "-_.~", min_size=8, max_size=80).filter(lambda t: t.strip("-_.~") == t)
NAMES = st.sampled_from(
    ["access_token", "refresh_token", "id_token", "client_secret", "password", "api_key",
     "fb_exchange_token", "token", "client_assertion", "Refresh_Token", "sslpassword"]
)  # fmt: skip
SHAPES = st.sampled_from(
    [
        "grant_type=refresh_token&{name}={token}&scope=a",
        "https://graph.example/refresh?grant_type=x&{name}={token}",
        '{{"{name}": "{token}", "expires_in": 3600}}',
        "{{'{name}': '{token}'}}",
        "{name}: {token}",
        "request failed: {name}={token}",
    ]
)


@given(name=NAMES, token=TOKENS, shape=SHAPES)
def test_what_stands_after_a_secrets_name_is_masked(name: str, token: str, shape: str) -> None:
    """Forms, URLs, JSON, Python's repr and prose: the value never comes through."""
    out = mask(shape.format(name=name, token=token))
    assert token not in out
    assert MASK in out


@given(token=TOKENS, scheme=st.sampled_from(["Bearer", "Basic", "bearer", "token"]))
def test_authorization_headers_are_masked(token: str, scheme: str) -> None:
    """Whatever the scheme, in raw headers and in a mapping's repr."""
    for text in (f"Authorization: {scheme} {token}", f"{{'authorization': '{scheme} {token}'}}"):
        assert token not in mask(text)
    assert token not in str(masked({"Authorization": f"{scheme} {token}"}))


@given(
    claims=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    signature=st.binary(min_size=16, max_size=64),
    around=st.text(" .,:;()'", max_size=4),
)
def test_jwts_are_masked_wherever_they_stand(
    claims: dict[str, str], signature: bytes, around: str
) -> None:
    """A JWT needs no name beside it to be found."""
    parts = [b'{"alg":"RS256","typ":"JWT"}', json.dumps(claims).encode(), signature]
    jwt = ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts)
    out = mask(f"x {around}{jwt}{around} y")
    assert jwt not in out
    assert jwt.rpartition(".")[2] not in out


@given(st.binary(min_size=32, max_size=64))
def test_long_random_texts_are_masked(secret: bytes) -> None:
    """An opaque token, or a key of 32 bytes, is masked without a name beside it."""
    for text in (base64.urlsafe_b64encode(secret).decode(), base64.b64encode(secret).decode()):
        assert text not in mask(f"got {text} there") or len(set(secret)) < 8


@given(
    st.recursive(
        st.builds(lambda t: {"refresh_token": t}, st.just("canary-value")),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)
        ),
        max_leaves=6,
    )
)
def test_nested_values_are_masked(value: object) -> None:
    """However deep a mapping stands, its secret is masked."""
    assert "canary-value" not in str(masked(value))


@given(st.text(max_size=200))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    """What is masked stays as it is, so that two nets behind each other agree."""
    assert mask(mask(text)) == mask(text)


@given(st.uuids())
def test_ids_stay_readable(id_: UUID) -> None:
    """A connection's id is what people search for."""
    assert str(id_) in mask(f"connection {id_} failed")
    assert masked({"connection": str(id_)}) == {"connection": str(id_)}


@pytest.mark.parametrize(
    "line",
    [
        "holding replies: postgres is away",
        "stored a spooled token pair",
        "the token endpoint answered 503; a bearer token is missing",
        "invalid_grant: Token has been expired or revoked.",
        "postgresql://user@db.example:5432/refresher has no refresher tables: run `refresher migrate`",
        "REFRESHER_ENCRYPTION_KEYS is not set, and tokens are never stored in the clear",
        "no free database connection within 30 s: raise REFRESHER_DATABASE_POOL_SIZE",
        "/usr/lib/python3.11/site-packages/refresher/store/settlement.py:120",
        "Received message refresh_connections for queue 'integration_refresh'",
        "exit code: 137",
        "2030-01-01T12:00:00.123456Z",
        "lease_token=17",
    ],
)
def test_our_own_lines_stay_as_they_are(line: str) -> None:
    """Prose about tokens is no token."""
    assert mask(line) == line


def test_urls_lose_their_passwords_only() -> None:
    """User and host stay."""
    out = mask("redis://worker:hunter2@10.0.0.1:6379/0 cannot be used")
    assert out == "redis://worker:***@10.0.0.1:6379/0 cannot be used"


@pytest.mark.parametrize(
    "token",
    [
        "ya29.a0AfH6SNotARealOne",
        "gho_16C7e42F292c6912E7710c838347Ae",
        "xoxb-123456789012-abcdefghij",
        "1//0gNotARealRefreshToken",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ],
)
def test_known_shapes_are_masked(token: str) -> None:
    """Prefixes that providers document are known."""
    assert token not in mask(f"we got {token}!")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("access_token", True), ("Authorization", True), ("x-api-key", True), ("sentry_dsn", True),
     ("lease_token", False), ("connection", False), ("key", False), ("status_code", False)],
)  # fmt: skip
def test_names_of_secrets(name: str, expected: bool) -> None:
    """Fields whose value is masked whatever it looks like."""
    assert is_secret_name(name) is expected


def test_what_is_deep_or_binary_is_not_shown() -> None:
    """Past some depth nothing is taken apart any more, and of bytes only their number is told."""
    deep: object = "ya29.secret"
    for _ in range(50):
        deep = [deep]
    assert "ya29" not in str(masked(deep))
    assert masked(b"\x1f\x8b\x00") == "3 bytes"


def test_a_user_that_may_be_part_of_a_password_is_masked_too() -> None:
    """Of `user:pass@word@host` nobody knows where the password ends: all before the last @ goes."""
    out = mask("postgresql://us@er:Secret1@Secret2tail@db.example/x")
    assert "Secret" not in out
    assert "us@er" not in out
    assert "db.example" in out


@pytest.mark.parametrize(
    "name", ["sslpassword", "x-amz-security-token", "clientSecretValue", "sig_key2"]
)
def test_a_parameter_of_a_url_that_is_called_like_a_secret_is_masked(name: str) -> None:
    """Whatever stands around the word in the parameter's name; its neighbours stay readable."""
    out = mask(f"GET https://api.example/x?page=2&{name}=hunter2&sort=name failed")
    assert out == f"GET https://api.example/x?page=2&{name}=***&sort=name failed"
