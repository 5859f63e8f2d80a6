"""Decides about mails: who hears of what and how, what a mail server's answer means, when to try again.

Pure. What a server says is an outcome: `Accepted`, `Deferred` (this mail, later), `Rejected` (this
mail, never) or `Unreachable` (no mail goes out at present, which is no fault of any). `decide` joins it
with what was known into what is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, assert_never

from refresher.rules.connect import Flow
from refresher.rules.notices import Kind

GIVE_UP_SECONDS = 4 * 86_400.0
"""How long a mail is tried that the server defers; an unreachable server is waited for without end."""
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 30.0, 3_600.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0
NO_STARTTLS = "the server offers no STARTTLS"
"""How the reason begins when a server near by has no TLS."""


class Choice(StrEnum):
    """How a recipient hears of a kind of news."""

    IMMEDIATE = "immediate"
    DIGEST = "digest"
    NONE = "none"


DEFAULTS: Mapping[Kind, Choice] = {
    Kind.RECONNECT_REQUIRED: Choice.IMMEDIATE,
    Kind.RECOVERED: Choice.DIGEST,
    Kind.EXPIRING: Choice.DIGEST,
    Kind.REFRESH_DELAYED: Choice.DIGEST,
    Kind.ANSWER_UNREAD: Choice.IMMEDIATE,
    Kind.ANSWER_LOST: Choice.IMMEDIATE,
    Kind.APP_MISCONFIGURED: Choice.IMMEDIATE,
    Kind.APP_RECOVERED: Choice.IMMEDIATE,
    Kind.WEBHOOK_DISABLED: Choice.IMMEDIATE,
    Kind.CONNECTED: Choice.DIGEST,
    Kind.ACCOUNT_CHANGED: Choice.IMMEDIATE,
    Kind.CONNECT_ENDED: Choice.NONE,
}
"""What holds for a recipient who has not chosen: what needs a person comes at once."""


def choice(chosen: Mapping[str, str], kind: str, facts: Mapping[str, object]) -> Choice:
    """Returns how a recipient hears of `kind`; news of another version go into the digest.

    That somebody used a link that was handed on is told at once: it may have been another person.
    """
    if kind in chosen:
        return Choice(chosen[kind])
    if kind == Kind.CONNECTED and facts.get("flow") == Flow.LINK:
        return Choice.IMMEDIATE
    return DEFAULTS[Kind(kind)] if kind in set(Kind) else Choice.DIGEST


def at_once(wanted: int, recent: int, burst: int) -> int:
    """Returns how many of `wanted` immediate mails go now; the others join the next digest.

    A thousand connections that break in one minute are `burst` mails and a digest, not a thousand.
    """
    return max(0, min(wanted, burst - recent))


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server has taken the mail."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """The server does not take this mail now."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server never takes this mail; `address` tells that it is the recipient's address."""

    reason: str
    address: bool


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No mail goes out: the server is away, or refuses us."""

    reason: str
    retry_after_seconds: float | None = None


MailOutcome = Accepted | Deferred | Rejected | Unreachable
SmtpStage = Literal["connect", "auth", "sender", "recipient", "data"]
_ENHANCED = re.compile(r"^\s*[245]\.(\d{1,3})\.\d{1,3}\b")


def classify_smtp(stage: SmtpStage, code: int, text: str) -> MailOutcome:
    """Returns what an SMTP reply means (RFC 5321 section 4.2, enhanced codes of RFC 3463).

    A 5xx for the recipient is a bad address only if its enhanced code says so (5.1 addressing, 5.2
    mailbox) or it has none; a policy (5.7: relaying, reputation) may be lifted, so it is tried again.
    """
    reason = f"{code} {clean(text)}".strip()
    if stage not in {"recipient", "data"} or code == 421:
        return Unreachable(reason)
    if code == 530:
        return Unreachable(reason)
    if code < 500:
        return Deferred(reason)
    found = _ENHANCED.match(text)
    subject = found[1] if found else ""
    if stage == "data":
        return Deferred(reason) if subject in {"3", "7"} else Rejected(reason, address=False)
    if subject in {"", "1", "2"}:
        return Rejected(reason, address=True)
    return Deferred(reason)


def classify_http(status: int, text: str, retry_after_seconds: float | None = None) -> MailOutcome:
    """Returns what the answer of a mail API means.

    400, 413 and 422 are about the mail; a key that is refused, a limit or a 5xx is about all of them.
    """
    reason = f"HTTP {status} {clean(text)}".strip()
    if 200 <= status < 300:
        return Accepted()
    if status in {400, 413, 422}:
        return Rejected(reason, address=False)
    return Unreachable(reason, retry_after_seconds)


def clean(text: str) -> str:
    """Returns a server's words, on one line, without control characters, and not too many of them."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:200]


MOST_OF_A_NAME = 80


def named(given: object) -> str:
    """Returns a name that somebody else chose, as a mail of ours may show it.

    On one line, without what turns the direction of text, not long, and no link; a name of several
    words stands in quotes, so that it does not read like a sentence of ours.
    """
    text = str(given)[: 4 * MOST_OF_A_NAME]
    plain = "".join(c if c.isprintable() else " " for c in text).replace("://", ": ")
    words = plain.replace("“", '"').replace("”", '"').split()
    name = " ".join(words)
    if len(name) > MOST_OF_A_NAME:
        name = name[: MOST_OF_A_NAME - 1].rstrip() + "…"
    return f"“{name}”" if len(words) > 1 else name


@dataclass(frozen=True, slots=True)
class MailDecision:
    """What is written: the mail's state, when it is due again, and what else stops."""

    state: Literal["sent", "due", "failed"]
    due_in_seconds: float = 0.0
    attempt: int = 0
    reason: str | None = None
    blocks_address: bool = False
    pause_seconds: float | None = None


def decide(
    outcome: MailOutcome, *, attempt: int, age_seconds: float, pauses: int, dice: float
) -> MailDecision:
    """Returns what follows. `pauses` counts how often in a row no mail went out at all.

    Deferred: 30 s, 1, 2, 4 … minutes, then every hour, spread by a quarter, for four days. Unreachable:
    nothing is counted against the mail; all wait 5, 10, 20 … s, at most five minutes, and one tries.
    """
    match outcome:
        case Accepted():
            return MailDecision("sent", attempt=attempt + 1)
        case Rejected(reason, address):
            return MailDecision("failed", 0.0, attempt + 1, reason, blocks_address=address)
        case Deferred(reason):
            wait = min(FIRST_RETRY_SECONDS * 2.0 ** min(attempt, 20), LONGEST_RETRY_SECONDS)
            wait *= 1 - 0.25 * dice
            if age_seconds + wait > GIVE_UP_SECONDS:
                return MailDecision("failed", 0.0, attempt + 1, f"given up: {reason}")
            return MailDecision("due", wait, attempt + 1, reason)
        case Unreachable(reason, asked):
            pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(pauses, 20), LONGEST_PAUSE_SECONDS)
            pause = max(pause, min(asked or 0.0, LONGEST_RETRY_SECONDS))
            return MailDecision("due", 0.0, attempt, reason, pause_seconds=pause)
        case _:
            assert_never(outcome)
