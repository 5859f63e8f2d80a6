"""What a code stands for, and what a token request with one comes to (RFC 6749 section 4.1.3)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from refresher.devkit.oauth_server.tokens import Denied, Family


@dataclass(slots=True)
class Consented:
    """What a person allowed, waiting for the application to fetch it; `family` is what it then got."""

    account: str
    client_id: str
    redirect_uri: str
    challenge: str = field(repr=False)
    nonce: str = field(repr=False)
    scopes: tuple[str, ...]
    asked_scopes: tuple[str, ...]
    has_refresh_token: bool
    expires_at: float
    host: str | None = None
    more: tuple[tuple[str, str], ...] = ()
    family: Family | None = None
    is_spent: bool = False


class CodeBook:
    """Every code that was given."""

    def __init__(self) -> None:
        """Starts with none."""
        self._codes: dict[str, Consented] = {}

    def add(self, code: str, consented: Consented) -> None:
        """Remembers a code."""
        self._codes[code] = consented

    def find(self, code: str | None) -> Consented | None:
        """Returns what a code stands for, spent or not."""
        return self._codes.get(code or "")


def judge(
    consented: Consented | None, params: Mapping[str, str], client_id: str, now: float
) -> Denied | None:
    """Returns why a code gives nothing, or None; the redirect URI is compared byte by byte.

    A code is spent by the first request that names it, whatever comes of that.
    """
    if consented is None:
        return Denied("invalid_grant", "unknown_code")
    was_spent, consented.is_spent = consented.is_spent, True
    wrongs = (
        (was_spent, "code_sent_twice"),
        (client_id != consented.client_id, "code_of_another_client"),
        (now >= consented.expires_at, "code_expired"),
        (params.get("redirect_uri", "") != consented.redirect_uri, "another_redirect_uri"),
        (
            not is_proven(consented.challenge, params.get("code_verifier", "")),
            "wrong_code_verifier",
        ),
    )
    reason = next((reason for is_wrong, reason in wrongs if is_wrong), None)
    return None if reason is None else Denied("invalid_grant", reason)


def is_proven(challenge: str, verifier: str) -> bool:
    """Says whether this verifier belongs to the challenge; RFC 9700 section 2.1.1: neither or both."""
    if not challenge:
        return not verifier
    return hmac.compare_digest(challenge, s256(verifier))


def s256(verifier: str) -> str:
    """Returns the challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
