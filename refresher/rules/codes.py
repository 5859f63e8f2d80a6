"""Judges a callback before its code leaves, and what the answer to the code means.

Pure. A code is sent once: what is not known to be refused is unknown, and the person begins again. That
is the opposite of the rule for refresh tokens, on purpose: a server may revoke what a code gave that is
sent twice (RFC 6749 section 4.1.2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import assert_never

from refresher.rules.accounts import Pairs, is_signed, told_host
from refresher.rules.answers import read_answer, read_body
from refresher.rules.bodies import as_object, at
from refresher.rules.connect import Problem, Trouble
from refresher.rules.connection import Reply, Secret
from refresher.rules.error_codes import error_detail
from refresher.rules.outcomes import (
    Malformed,
    Misconfigured,
    Prolonged,
    RateLimited,
    Refreshed,
    Revoked,
    Transient,
    Unreadable,
    classify,
)
from refresher.rules.paths import ways
from refresher.rules.providers import Provider

AGAIN = frozenset({"connect", "connect_timeout", "unsent"})
"""`Reply.failure` of a request that has certainly not left, and might the next time."""


def callback_host(
    provider: Provider, pairs: Pairs, host: str | None, client_secret: Secret | None
) -> str | Trouble | None:
    """Returns the host that the code goes to, the attempt's unless the callback names one (C24)."""
    consent = provider.connect
    if consent is None:
        return host
    if consent.callback_hmac is not None:
        secret = client_secret or Secret("")
        if not secret or not is_signed(pairs, consent.callback_hmac, secret):
            return Trouble(Problem.BAD_CALLBACK, "the callback is not signed with our app's secret")
    given = dict(pairs).get(consent.host_from_callback or "")
    if given is None:
        return host
    found = told_host(provider, given)
    if found is None:
        return Trouble(
            Problem.WRONG_HOST, "the callback names a host that is none of the provider's"
        )
    if consent.callback_hmac is not None and host is not None and found != host:
        return Trouble(Problem.WRONG_HOST, f"the callback is of {found}, the consent of {host}")
    return found


def kept_of_callback(provider: Provider, pairs: Pairs) -> dict[str, str]:
    """Returns the fields of a callback that are needed after the code: never code or state."""
    consent = provider.connect
    if consent is None:
        return {}
    named = {*consent.keep_from_callback, *consent.callback_claims}
    if "callback" in consent.identity.found_in:
        named |= {str(path[0]) for path in consent.identity.paths}
        named |= {str(name) for name in consent.identity.label_path[:1]}
    return {name: text for name, text in pairs if name in named - {"code", "state"}}


def reader(provider: Provider, reply: Reply) -> Provider:
    """Returns the entry as it reads the answer to a code, whose tokens may stand elsewhere."""
    paths = provider.connect.code_answer_path if provider.connect else ()
    if not paths:
        return provider
    whole = read_body(reply.body, (), reply.headers)
    found = (path for path in ways(paths) if as_object(at(whole, path)))
    return replace(provider, response_path=next(found, ()))


def answer_of(provider: Provider, reply: Reply) -> Mapping[str, object]:
    """Returns the answer to a code, its token fields under their standard names."""
    return read_answer(reader(provider, reply), reply.body, reply.headers)


def refusal(
    provider: Provider, reply: Reply, now_epoch_seconds: float, hidden: Collection[str] = ()
) -> Trouble | None:
    """Returns why an answer to a code brings nothing; None: it brings a token, and is kept.

    `hidden` are texts of ours that no sentence may repeat: the code, the verifier.
    """
    reading = reader(provider, reply)
    outcome = classify(reading, reply, now_epoch_seconds)
    match outcome:
        case Refreshed():
            return None
        case Revoked(code) | Misconfigured(code):
            wrong = isinstance(outcome, Misconfigured)
            problem, words = (
                Problem.APP_WRONG if wrong else Problem.REFUSED_CODE,
                f"refused: {code}",
            )
        case RateLimited():
            problem, words = Problem.PROVIDER_TROUBLE, "asks to slow down"
        case Transient(reason):
            problem, words = _of_trouble(outcome, reply), reason
        case Malformed(reason) | Unreadable(reason):
            problem, words = Problem.OUTCOME_UNKNOWN, reason
        case Prolonged():
            problem, words = Problem.OUTCOME_UNKNOWN, "no token in the answer"
        case _:
            assert_never(outcome)
    detail = error_detail(reading, read_answer(reading, reply.body, reply.headers))
    sentence = f"{provider.known_as}, asked for tokens: {words}"
    sentence += f" ({detail})" if detail else ""
    for text in hidden:
        sentence = sentence.replace(text, "***") if text else sentence
    return Trouble(problem, sentence)


def _of_trouble(outcome: Transient, reply: Reply) -> Problem:
    if not reply.sent:
        return Problem.PROVIDER_TROUBLE  # the code is unspent, and is not tried again
    answered = reply.failure is None and 400 <= (reply.status or 0) < 500 and reply.status != 408
    return Problem.REFUSED_CODE if outcome.refused or answered else Problem.OUTCOME_UNKNOWN


def may_go_again(reply: Reply) -> bool:
    """Whether a code may be sent once more: only where certainly nothing has left (C15)."""
    return not reply.sent and reply.status is None and reply.failure in AGAIN
