"""Grants without a refresh token, and the tokens themselves. No server, no clock."""

from base64 import urlsafe_b64decode

import orjson
import pytest

from refresher.devkit.oauth_server.grants import GrantBook
from refresher.devkit.oauth_server.options import Options
from refresher.devkit.oauth_server.tokens import AccessClaim, Denied, Issued, Mint, RefreshClaim

NOW = 1_700_000_000.0
KEY = b"k" * 32


def granted(options: Options) -> tuple[GrantBook, Issued]:
    """Returns a book with one account, and that account's first tokens."""
    book = GrantBook(Mint(KEY))
    return book, book.grant("acct-0", NOW, options)


@pytest.mark.parametrize(
    ("after_seconds", "reason"),
    [(5, "token_too_young"), (10, None), (59, None), (60, "access_token_expired")],
)
def test_a_long_lived_token_is_exchanged_while_it_lives(
    after_seconds: float, reason: str | None
) -> None:
    """A long-lived exchange needs a token at least ten seconds old and not yet expired."""
    book, first = granted(options := Options(lifetime_seconds=60, minimum_token_age_seconds=10))
    reply = book.exchange_access_token(first.access_token, NOW + after_seconds, options)
    assert (reply.reason if isinstance(reply, Denied) else None) == reason


def test_a_long_lived_exchange_tells_no_refresh_token() -> None:
    """A long-lived exchange answers a new access token alone; the old one lives on."""
    book, first = granted(options := Options(lifetime_seconds=60))
    reply = book.exchange_access_token(first.access_token, NOW + 1, options)
    assert isinstance(reply, Issued)
    assert reply.refresh_token is None
    assert reply.access_token != first.access_token
    assert book.is_access_active(first.access_token, NOW + 1, options)


def test_only_an_access_token_can_be_exchanged() -> None:
    """A long-lived exchange refuses refresh tokens and strangers' tokens alike."""
    book, first = granted(options := Options())
    for token in (first.refresh_token or "", "stranger"):
        reply = book.exchange_access_token(token, NOW, options)
        assert isinstance(reply, Denied)
        assert reply.reason == "unknown_token"


def test_client_credentials_give_an_access_token_alone() -> None:
    """The client's own grant is one account, each request a further access token."""
    book, _ = granted(options := Options())
    first = book.client_credentials("app", NOW, options)
    second = book.client_credentials("app", NOW, options)
    assert isinstance(first, Issued)
    assert isinstance(second, Issued)
    assert first.refresh_token is second.refresh_token is None
    assert first.family is second.family
    assert first.access_token != second.access_token


@pytest.mark.parametrize("claim", [AccessClaim(3, 7, NOW + 0.123), RefreshClaim(3, 7)])
def test_a_token_says_what_was_minted(claim: AccessClaim | RefreshClaim) -> None:
    """What is minted is read back, opaque or JWT, and under no other key."""
    mint, stranger = Mint(KEY), Mint(b"other" * 5)
    texts = [mint.refresh_token(claim)] if isinstance(claim, RefreshClaim) else []
    if isinstance(claim, AccessClaim):
        texts = [mint.access_token(claim), mint.jwt(mint.access_token(claim), claim.expires_at)]
    for text in texts:
        assert mint.read(text) == claim
        assert stranger.read(text) is None


def test_an_access_token_can_be_a_jwt() -> None:
    """With access_token_style=jwt, the access token itself tells its end and opens the resource."""
    book, first = granted(Options(access_token_style="jwt", lifetime_seconds=60))
    payload = first.access_token.split(".")[1]
    told = orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert told["exp"] == NOW + 60
    assert book.is_access_active(first.access_token, NOW, Options())
