"""Decides a request that was read as an entry says: the client, the pace, the age, then the token."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from refresher.devkit.oauth_server.consent import exchange
from refresher.devkit.oauth_server.decision import is_known_client
from refresher.devkit.oauth_server.entry.answer import NOT_AS_WRITTEN
from refresher.devkit.oauth_server.entry.consents import code_client_auth
from refresher.devkit.oauth_server.entry.proof import check_assertions
from refresher.devkit.oauth_server.entry.request import NO_PLUGINS
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.tokens import AccessClaim, Denied, Issued, RefreshClaim, Reply
from refresher.rules.providers import ClientAuth, Provider, Rotation, Strategy
from refresher.rules.slots import names

ROTATIONS = {Rotation.ALWAYS: "always", Rotation.SOMETIMES: "sometimes", Rotation.NEVER: "none"}
_SECRET = {ClientAuth.BASIC, ClientAuth.BASIC_RAW, ClientAuth.POST}
Values = Mapping[str, str]
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_BETWEEN = re.compile(r"[\s,;]")
_A_WHILE_SECONDS = 300
_SHORT_SECONDS = 3_600.0


def options_of(entry: Provider) -> dict[str, Any]:
    """Returns what an entry says of its tokens, as the server's options."""
    options: dict[str, Any] = {
        "rotation": ROTATIONS[entry.rotation],
        "rotation_every_nth": 2 if entry.rotation is Rotation.SOMETIMES else None,
        "omit_refresh_token": entry.rotation is Rotation.NEVER,
        "grace_seconds": entry.reuse_grace_seconds,
        "grace_ends": entry.reuse_grace_ends,
        "prolongs": entry.prolongs,
        "old_access_token_survives": entry.old_access_token_survives,
        "refresh_interval_seconds": entry.refresh_interval_seconds,
        "refresh_token_lifetime_seconds": entry.refresh_token_lifetime_seconds,
        "refresh_token_end": entry.refresh_token_clock,
        "grant_lifetime_seconds": entry.refresh_token_absolute_seconds,
    }
    for token in ("access_token", "refresh_token"):
        is_jwt = getattr(entry, f"{token}_lifetime_format") == "jwt"
        options[f"{token}_style"] = "jwt" if is_jwt else "opaque"
    if entry.access_token_lifetime_seconds is not None:
        options["lifetime_seconds"] = entry.access_token_lifetime_seconds
    return options | _of_consent(entry)


def _of_consent(entry: Provider) -> dict[str, Any]:
    consent = entry.connect
    if consent is None:
        return {}
    return {
        "pkce": {"required": "required", "no": "ignored"}.get(entry.pkce or "", "optional"),
        "tell_issuer": consent.announces_iss,
        "issuer": consent.issuer or entry.issuer or "",
        "offline": "never" if consent.refresh_token == "never" else "always",
        "callback_hmac": "right" if consent.callback_hmac else "none",
        "code_token_lifetime_seconds": _SHORT_SECONDS if consent.second_step else None,
    }


@dataclass(slots=True)
class Pace:
    """How many requests a host takes: whole requests in whole seconds that make the entry's rate."""

    per_second: float
    _seen: dict[str, deque[float]] = field(default_factory=dict)

    @property
    def spacing_seconds(self) -> float:
        """How far requests must be from each other so that none is too many."""
        return 1 / self.per_second

    def wait(self, host: str, now: float) -> float:
        """Notes a request; returns how long it should have waited, 0 where it may come."""
        most = ceil(self.per_second)
        seen = self._seen.setdefault(host, deque(maxlen=most))
        free_at = seen[0] + most / self.per_second if len(seen) == most else now
        if now >= free_at:
            seen.append(now)
        return max(0.0, free_at - now)


def decide(entry: Provider, values: Values, state: ProviderState, now: float) -> Reply:
    """Answers a request for a fresh token and moves the grant."""
    refusal = (
        check_client(entry.client_auth, values, state.clients)
        or check_assertions(entry, values, state, now)
        or _misfit(entry, values, state, now)
    )
    if refusal is not None:
        return refusal
    options = state.options
    match entry.strategy:
        case Strategy.REFRESH_TOKEN:
            token = values["refresh_token"]
            refusal = _too_early(entry, token, state, now)
            return refusal or state.book.refresh(token, now, options, state.rotation_dice)
        case Strategy.LONG_LIVED_EXCHANGE:
            token = values["access_token"]
            refusal = _too_early(entry, token, state, now)
            return refusal or state.book.exchange_access_token(token, now, options)
        case Strategy.CLIENT_CREDENTIALS | Strategy.JWT_BEARER | Strategy.GITHUB_APP:
            return state.book.client_credentials(values.get("client_id", ""), now, options)
        case Strategy.PLUGIN:
            raise ValueError(NO_PLUGINS)


def redeem(entry: Provider, values: Values, state: ProviderState, now: float) -> Reply:
    """Answers a request with a code: the client, then what the person allowed."""
    refusal = check_client(code_client_auth(entry), values, state.clients) or check_assertions(
        entry, values, state, now
    )
    reply = refusal or exchange.redeem(state, values, values.get("client_id", ""))
    if not isinstance(reply, Issued) or reply.consented is None or not reply.consented.more:
        return reply
    slots = {
        name: state.book.grant(f"{reply.consented.account}.{name}", now, state.options)
        for name in names(entry, "apart")
    }
    return replace(reply, slots=slots)


def second_step(values: Values, state: ProviderState, now: float) -> Reply:
    """Answers a request that makes a long-lived token of a short one, as often as it comes."""
    refusal = check_client(ClientAuth.NONE, values, state.clients)
    return refusal or state.book.exchange_access_token(values["access_token"], now, state.options)


def is_short(token: str, state: ProviderState) -> bool:
    """Says whether this is the short-lived token that a code gave."""
    claim = state.book.claim(token)
    has_second = state.options.code_token_lifetime_seconds is not None
    return has_second and isinstance(claim, AccessClaim) and claim.serial == 1


def revoke(entry: Provider, values: Values, state: ProviderState) -> Denied | None:
    """Takes a token back; a refresh token, or whatever the entry gives back, ends the grant."""
    now, book = state.clock.now(), state.book
    how = entry.revocation_client_auth or entry.client_auth
    refusal = (
        check_client(how, values, state.clients)
        or check_assertions(entry, values, state, now)
        or _misfit(entry, values, state, now)
    )
    if refusal is not None:
        return refusal
    token = next(values[n] for n in ("token", "refresh_token", "access_token") if n in values)
    claim, family = book.claim(token), book.owner(token)
    if family is None:
        return None  # RFC 7009 section 2.2: what is unknown is as good as ended
    by_access = entry.revocation_token == "access_token" or not family.has_refresh_token
    if isinstance(claim, AccessClaim) is not by_access:
        return Denied(NOT_AS_WRITTEN, "another token is given back than the entry says")
    if family.end("token_revoked") if family.has_refresh_token else book.revoke_token(token):
        state.ledger.count("tokens_revoked")
    return None


def check_client(how: ClientAuth, values: Values, clients: Mapping[str, str]) -> Denied | None:
    """Returns the refusal of a client that is not known, or whose secret is wrong."""
    client_id, secret = values.get("client_id"), values.get("client_secret")
    if client_id is not None and client_id not in clients:
        return Denied("invalid_client", "unknown_client")
    if secret is None and how not in _SECRET:
        return None
    owners = [client_id] if client_id is not None else list(clients)
    if any(is_known_client(owner, secret or "", clients) for owner in owners):
        return None
    return Denied("invalid_client", "wrong_client_secret")


def _misfit(entry: Provider, values: Values, state: ProviderState, now: float) -> Denied | None:
    """Returns the refusal of values that are not what their names say."""
    told = [values[name] for name in ("refresh_token", "access_token") if name in values]
    if len({id(state.book.owner(token)) for token in told}) > 1:
        return Denied(NOT_AS_WRITTEN, "the tokens are of two accounts")
    if "now" in values and not _is_recent(values["now"], now):
        return Denied(NOT_AS_WRITTEN, "{now} is not the time in seconds since 1970")
    if "uuid" in values and not _UUID.fullmatch(values["uuid"]):
        return Denied(NOT_AS_WRITTEN, "{uuid} is none")
    scopes = values.get("scope", "").split(entry.scope_separator)
    if any(_BETWEEN.search(scope) for scope in scopes):
        return Denied(NOT_AS_WRITTEN, f"scopes are not separated by {entry.scope_separator!r}")
    return None


def _is_recent(text: str, now: float) -> bool:
    return text.isdecimal() and abs(int(text) - now) < _A_WHILE_SECONDS


def _too_early(entry: Provider, token: str, state: ProviderState, now: float) -> Denied | None:
    claim, family = state.book.claim(token), state.book.owner(token)
    if family is None:
        return None
    match claim:
        case RefreshClaim(generation=number):
            newest = number == family.generation
        case _:
            newest = isinstance(claim, AccessClaim) and claim.serial == family.serial
    young = now < family.access_issued_at + entry.min_token_age_seconds
    window = entry.not_before_expiry_seconds
    early = window is not None and now < family.access_expires_at - window
    if newest and (young or early):
        return Denied("too_early", "the access token is too young to be refreshed")
    return None
