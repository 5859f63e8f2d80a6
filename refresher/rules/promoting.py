"""Decides whether a held answer becomes a connection: account, scopes, refresh token, in this order.

Pure: what came and what is stored in, a verdict out. Whoever is refused may try again, and nothing has
changed. Source: RFC 6749 sections 3.3 and 5.1, and section 1.5 for what a refresh token is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from refresher.rules.accounts import Account
from refresher.rules.connect import Problem, Trouble, masked
from refresher.rules.consent import Consent
from refresher.rules.providers import Provider, Strategy

NEVER_JUDGED = frozenset({"openid", "offline_access"})
"""Answers need not name them: measured, one with an id_token and a refresh token named neither."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The connection of these three names as it is stored, when there is one."""

    account: str | None = None
    account_label: str | None = None
    app_name: str = "default"
    host: str | None = None
    has_refresh_token: bool = False
    needs_reconnect: bool = False


@dataclass(frozen=True, slots=True)
class Came:
    """What a consent brought. `granted` is None where the answer names no scopes: as asked."""

    account: Account | None
    has_refresh_token: bool
    asked: tuple[str, ...]
    granted: tuple[str, ...] | None
    app_name: str
    host: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the session wants of it.

    `named`: the application named the connection; else the account does. `confirmed`: the application
    itself says who came back.
    """

    required_scopes: Sequence[str] = ()
    allow_account_change: bool = False
    named: bool = True
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """It becomes a connection. `drops`: the stored refresh token is of another grant, and goes.

    `account_learned`: the connection had none so far; `account_changed`: it had another.
    """

    scopes: tuple[str, ...]
    missing_scopes: tuple[str, ...] = ()
    drops: bool = False
    account_learned: bool = False
    account_changed: bool = False


Verdict = Accepted | Trouble


def judge(provider: Provider, stored: Stored | None, came: Came, wanted: Wanted) -> Verdict:
    """Returns what a held answer comes to; `stored` is None where there is no connection yet."""
    consent = provider.connect
    assert consent is not None  # nobody was sent to an entry without it
    whose = _account(provider, stored, came, wanted)
    if isinstance(whose, Trouble):
        return whose
    missing = missing_scopes(consent, came.asked, came.granted)
    lacking = [scope for scope in wanted.required_scopes if scope in missing]
    if lacking:
        return Trouble(
            Problem.SCOPE_MISSING,
            f"{provider.known_as} did not grant {', '.join(lacking)[:200]}, which the session requires",
            {"missing_scopes": lacking},
        )
    token = _refresh_token(provider, consent, stored, came, same=whose is Whose.SAME)
    if isinstance(token, Trouble):
        return token
    return Accepted(
        scopes=tuple(scope for scope in came.asked if scope not in missing),
        missing_scopes=missing,
        drops=token is Token.DROPPED,
        account_learned=whose is Whose.LEARNED,
        account_changed=whose is Whose.CHANGED,
    )


class Whose(Enum):
    """How the account stands to the stored one."""

    FIRST = "first"
    SAME = "same"
    LEARNED = "learned"
    CHANGED = "changed"
    UNKNOWN = "unknown"


def _account(
    provider: Provider, stored: Stored | None, came: Came, wanted: Wanted
) -> Whose | Trouble:
    if came.account is None:
        return _unknown(provider, stored, wanted)
    if stored is None:
        return Whose.FIRST
    if stored.account is None:
        return Whose.LEARNED
    if stored.account == came.account.id:
        return Whose.SAME
    return Whose.CHANGED if wanted.allow_account_change else _wrong(provider, stored, came.account)


def _unknown(provider: Provider, stored: Stored | None, wanted: Wanted) -> Whose | Trouble:
    """Takes an account that nobody tells only where nothing can be mistaken for another's.

    That is a new connection which has a name, or one whose application says who came back.
    """
    if stored is None and wanted.named:
        return Whose.UNKNOWN
    unmistaken = stored is not None and (stored.account is None or wanted.allow_account_change)
    if wanted.confirmed and unmistaken:
        return Whose.UNKNOWN
    places = ", ".join(provider.connect.identity.found_in) if provider.connect else "nowhere"
    sentence = (
        f"{provider.known_as} did not tell whose account it is, where its entry looks: {places}"
    )
    return Trouble(Problem.ACCOUNT_UNKNOWN, sentence)


def _wrong(provider: Provider, stored: Stored, account: Account) -> Trouble:
    """Returns the trouble with both labels: in full who came, masked who is wanted (C21)."""
    detail: dict[str, object] = {"used": account.label or account.id}
    if stored.account_label:
        detail["wanted"] = masked(stored.account_label)
    sentence = f"another account of {provider.known_as} consented than the connection's"
    return Trouble(Problem.WRONG_ACCOUNT, sentence, detail)


def missing_scopes(
    consent: Consent, asked: Sequence[str], granted: Collection[str] | None
) -> tuple[str, ...]:
    """Returns which scopes were asked for and not granted, in the entry's own spelling (C22)."""
    if granted is None:
        return ()
    aliases: Mapping[str, str] = consent.scope_aliases
    return tuple(
        scope
        for scope in asked
        if scope not in NEVER_JUDGED and not {scope, aliases.get(scope, scope)} & {*granted}
    )


class Token(Enum):
    """What becomes of the refresh token that is stored."""

    REPLACED = "replaced"
    KEPT = "kept"
    DROPPED = "dropped"


def _refresh_token(
    provider: Provider, consent: Consent, stored: Stored | None, came: Came, *, same: bool
) -> Token | Trouble:
    """Keeps a stored one only where it is beyond doubt of the same grant, and alive (C23)."""
    if came.has_refresh_token:
        return Token.REPLACED
    if stored is not None and stored.has_refresh_token:
        hosts = {host or provider.default_host for host in (stored.host, came.host)}
        unmoved = stored.app_name == came.app_name and len(hosts) == 1
        if same and unmoved and not stored.needs_reconnect:
            return Token.KEPT
    if consent.refresh_token == "always" and provider.strategy is Strategy.REFRESH_TOKEN:
        return Trouble(
            Problem.NO_REFRESH_TOKEN,
            f"{provider.known_as} gave no refresh token: see that the session asks for lasting access "
            "(scopes, authorize_parameters of the entry), and that the app may have it",
        )
    return Token.DROPPED
