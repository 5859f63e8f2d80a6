"""The values of a grant: a family of tokens, how one stands, what an answer holds; and the mint.

No clock, no HTTP and no dice of its own. A family is everything issued since one consent; each
rotation spends a refresh token and moves the family one generation on. `grants.py` makes the moves.

    granted ──refresh──▶ generation n ──rotate──▶ n + 1    n is now spent: replayable in the grace,
       ▲                     │                             reuse afterwards (ignore, refuse, revoke)
       └── granted again ◀── dead ◀── reuse, consent withdrawn, token revoked

Tokens carry their own place in the books, sealed with a keyed hash: a server that has issued ten
million of them keeps no list.
"""

import base64
import hashlib
import hmac
import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import orjson

from refresher.devkit.oauth_server.options import Dice, Options

if TYPE_CHECKING:
    from refresher.devkit.oauth_server.consent.codes import Consented

Standing = Literal["newest", "in_grace", "spent", "ended", "dead"]
IssueKind = Literal["issued", "replayed", "reissued", "reuse_ignored"]


@dataclass(slots=True)
class Family:
    """Everything issued since one consent.

    `spent_at[n]` is when generation n was spent, `spent_serial[n]` the newest access token before that.
    `sealed_until` is the end that the newest access token itself tells: it may live longer. `ends_at`
    is the end of all of it; `used_serial` the newest access token that was used.
    """

    number: int
    external_id: str
    lifetime_seconds: float | None
    has_refresh_token: bool
    alive: bool = True
    ended_because: str = ""
    generation: int = 0
    serial: int = 0
    refreshes: int = 0
    access_issued_at: float = 0.0
    access_expires_at: float = 0.0
    sealed_until: float = 0.0
    refresh_expires_at: float | None = None
    ends_at: float | None = None
    asked_at: float | None = None
    used_serial: int = 0
    spent_at: "array[float]" = field(default_factory=lambda: array("d"))
    spent_serial: "array[int]" = field(default_factory=lambda: array("q"))
    revoked_serials: frozenset[int] = frozenset()
    scopes: tuple[str, ...] = ()

    def is_spent(self, generation: int) -> bool:
        """Says whether a refresh token of that generation was replaced in an earlier request."""
        return generation < self.generation

    def spend(self, now: float) -> None:
        """Moves on to the next generation: the refresh token of this one is spent."""
        self.spent_at.append(now)
        self.spent_serial.append(self.serial)
        self.generation += 1

    @property
    def end_of_refresh_token(self) -> float | None:
        """The nearer of its own end and that of the grant."""
        ends = [end for end in (self.refresh_expires_at, self.ends_at) if end is not None]
        return min(ends, default=None)

    def end(self, because: str) -> bool:
        """Kills every token of the family; returns False where it was dead already."""
        was_alive, self.alive = self.alive, False
        if was_alive:
            self.ended_because = because
        return was_alive


@dataclass(frozen=True, slots=True)
class Issued:
    """A good answer, and why it was given. One that `is_prolonged` tells no tokens.

    `consented` is what a person allowed, in the answer to a code.

    "issued" is the ordinary case; "replayed" told the current pair once more within the grace;
    "reissued" gave a new pair within the grace; "reuse_ignored" gave one outside of it.
    """

    family: Family
    kind: IssueKind
    generation: int
    serial: int
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in_seconds: float
    refresh_token_expires_in_seconds: float | None
    presented_twice: bool = False
    grant_ends_in_seconds: float | None = None
    is_prolonged: bool = False
    consented: "Consented | None" = None
    slots: "Mapping[str, Issued]" = field(default_factory=dict)
    """what came with it, to be refreshed apart"""


@dataclass(frozen=True, slots=True)
class Denied:
    """A bad answer: the OAuth error code to tell, and the reason the ledger remembers."""

    error: str
    reason: str
    presented_twice: bool = False
    family_revoked: bool = False
    retry_after_seconds: float | None = None


Reply = Issued | Denied


def standing(family: Family, generation: int, now: float, options: Options) -> Standing:
    """Returns how a refresh token of that generation stands at `now`.

    The grace counts from the moment a token was spent, up to but excluding its last instant, so
    that a grace of zero never replays.
    """
    if not family.alive:
        return "dead"
    end = family.end_of_refresh_token
    if end is not None and now >= end:
        return "ended"
    if not family.is_spent(generation):
        return "newest"
    return "in_grace" if _is_forgiven(family, generation, now, options) else "spent"


def _is_forgiven(family: Family, generation: int, now: float, options: Options) -> bool:
    match options.grace_ends:
        case "time":
            ended = False
        case "new_access_token_used":
            ended = family.used_serial > family.spent_serial[generation]
        case "new_refresh_token_used":
            ended = family.generation > generation + 1
    is_endless = options.grace_ends != "time" and not options.grace_seconds
    in_time = is_endless or now < family.spent_at[generation] + options.grace_seconds
    return in_time and not ended


def rotates(family: Family, options: Options, dice: Dice) -> bool:
    """Says whether this refresh replaces the refresh token."""
    if options.rotation == "sometimes":
        if options.rotation_every_nth is not None:
            return family.refreshes % options.rotation_every_nth == 0
        return dice() < options.rotation_probability
    return options.rotation == "always" and not options.omit_refresh_token


_JWT_HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class AccessClaim:
    """What an access token says: the `serial`-th issued to its family, good until `expires_at`."""

    family: int
    serial: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class RefreshClaim:
    """What a refresh token says: the one its family held after `generation` rotations."""

    family: int
    generation: int


Claim = AccessClaim | RefreshClaim


class Mint:
    """Makes tokens under one key; tokens of another key are strangers."""

    def __init__(self, key: bytes) -> None:
        """Keeps the key; 16 to 64 random bytes."""
        self._key = key

    def access_token(self, claim: AccessClaim) -> str:
        """Returns an opaque access token; its end is kept to the millisecond."""
        return self._seal(f"fake-at_{claim.family}_{claim.serial}_{round(claim.expires_at * 1000)}")

    def jwt(self, token: str, expires_at: float | None) -> str:
        """Returns a token of ours as an HS256 JWT, with an `exp` claim in whole seconds."""
        told: dict[str, object] = {"jti": token, "iss": "fake-provider"}
        if expires_at is not None:
            told["exp"] = math.floor(expires_at)
        signed = f"{_JWT_HEADER}.{_base64url(orjson.dumps(told))}"
        return f"{signed}.{self._signature(signed)}"

    def refresh_token(self, claim: RefreshClaim) -> str:
        """Returns the refresh token; the same claim always gives the same text."""
        return self._seal(f"fake-rt_{claim.family}_{claim.generation}")

    def read(self, token: str) -> Claim | None:
        """Returns what a token of ours says, or None for a stranger's, however it is malformed."""
        if token.count(".") == 2:
            return self._read_jwt(token)
        text, _, mac = token.rpartition("_")
        if not hmac.compare_digest(mac.encode(), self._mac(text).encode()):
            return None
        kind, *numbers = text.split("_")
        if kind == "fake-rt":
            return RefreshClaim(int(numbers[0]), int(numbers[1]))
        return AccessClaim(int(numbers[0]), int(numbers[1]), int(numbers[2]) / 1000)

    def _read_jwt(self, token: str) -> Claim | None:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            return None
        payload = signed.partition(".")[2]
        told = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return self.read(told["jti"])

    def _seal(self, text: str) -> str:
        return f"{text}_{self._mac(text)}"

    def _mac(self, text: str) -> str:
        return hashlib.blake2b(text.encode(), key=self._key, digest_size=16).hexdigest()

    def _signature(self, signed: str) -> str:
        return _base64url(hmac.digest(self._key, signed.encode(), "sha256"))


def fingerprint(token: str) -> str:
    """Returns the SHA-256 of a token in hex: enough to compare tokens without showing them."""
    return hashlib.sha256(token.encode()).hexdigest()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
