"""Tells people of a provider: what its tokens do, in sentences, and its facts by subject.

Serves `refresher providers show` and the pages of docs/providers/. A * behind a sentence or a fact
says that its documentation does not confirm it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Any, assert_never
from urllib.parse import urlsplit

from refresher.catalogue.inspection import describe
from refresher.rules.consent import Consent, why_not
from refresher.rules.policy import FALLBACK_LIFETIME_SECONDS
from refresher.rules.providers import Provider, Rotation, Strategy
from refresher.rules.slots import names
from refresher.rules.words import span

SUBJECTS = {
    "token_url": "where requests go",
    "client_auth": "how they are made",
    "response_path": "how answers are read",
    "error_path": "how refusals are read",
    "rotation": "what its tokens do",
    "assertion": "how the app proves itself with a key",
    "category": "for the consent, and for people",
    "connect": "how people connect",
}
"""By its first field, what a part of an entry is about."""
ALWAYS = ("strategy", "client_auth", "body", "rotation")
"""Fields that are told though they may be as in most entries."""
IN_SENTENCES = frozenset({"title", "unsure", "notes", "changes", "sources", "scope_words"})
"""Fields that are told beside the others."""
LIKE_ENOUGH = 0.75
PATHS = ("paths", "label_path")
PLACES = {
    "id_token": "the id_token",
    "answer": "the answer to the code",
    "callback": "the callback",
    "userinfo": "a request with the token",
}
"""Where an account is told, in words."""
REDIRECTS = {
    "https": "The redirect URI of an app is https, on loopback too",
    "loopback_ip": "On loopback the redirect URI of an app has 127.0.0.1, not localhost",
}
"""What is not as usual about redirect URIs."""


def search(providers: Iterable[Provider], text: str) -> list[Provider]:
    """Returns the providers that `text` may mean, the likeliest first.

    It is looked for in name, title, category and the server's name; where nothing holds it, in names
    and titles that are spelled much like it.
    """
    wanted = " ".join(text.casefold().replace("-", " ").split())
    ranked = [(_rank(provider, wanted), provider.name, provider) for provider in providers]
    best = any(rank < _SPELLED for rank, _, _ in ranked)
    limit = _SPELLED if best else _UNLIKE
    return [provider for rank, _, provider in sorted(ranked, key=_order) if rank < limit]


_SPELLED, _UNLIKE = 4.0, 5.0


def _order(ranked: tuple[float, str, Provider]) -> tuple[float, str]:
    return ranked[:2]


def _rank(provider: Provider, wanted: str) -> float:
    """Returns how far off a provider is: 0 is the very name, 5 another one."""
    called = (provider.name.replace("-", " "), provider.title.casefold())
    if wanted in called:
        return 0
    if any(name.startswith(wanted) for name in called):
        return 1
    if any(wanted in name for name in called):
        return 2
    if wanted.replace(" ", "-") in {provider.category, *_server(provider).split(".")}:
        return 3
    like = max(SequenceMatcher(None, wanted, name).ratio() for name in called)
    return _UNLIKE - like if like >= LIKE_ENOUGH else _UNLIKE


def _server(provider: Provider) -> str:
    return urlsplit(provider.token_url).netloc.casefold()


def facts_by_subject(provider: Provider) -> dict[str, dict[str, object]]:
    """Returns what an entry says that not all say, by subject and field; unsure ones with a *."""
    usual = Provider(name=provider.name)
    found: dict[str, dict[str, object]] = {}
    subject = ""
    for name, value in describe(provider).items():
        subject = SUBJECTS.get(name, subject)
        told = name in ALWAYS or getattr(provider, name) != getattr(usual, name)
        if subject and name not in {*IN_SENTENCES, "connect"} and told:
            found.setdefault(subject, {})[_marked(provider, name)] = value
    if provider.connect is not None:
        found[SUBJECTS["connect"]] = dict(_of_the_consent(provider))
    return found


def _of_the_consent(provider: Provider) -> Iterator[tuple[str, object]]:
    told = describe(provider)["connect"]
    assert isinstance(told, dict)
    for name, value in told.items():
        inner = value if isinstance(value, dict) and name in {"identity", "second_step"} else {}
        for part, given in inner.items():
            yield _marked(provider, name, part), _path(given) if part in PATHS else given
        if not inner and name not in IN_SENTENCES:
            yield _marked(provider, name), value


def _path(given: list[Any]) -> str:
    """Returns ways into an answer as people write them: `data.id`, or several with a slash between."""
    several = given if any(isinstance(way, list) for way in given) else [given]
    return " / ".join(".".join(str(step) for step in way) for way in several)


def _marked(provider: Provider, name: str, part: str = "") -> str:
    doubted = name in provider.unsure or (provider.connect and name in provider.connect.unsure)
    whole = f"{name}.{part}" if part else name
    return f"{whole} *" if doubted else whole


def sources(provider: Provider) -> tuple[str, ...]:
    """Returns where what is known of a provider comes from, each once."""
    of_the_consent = provider.connect.sources if provider.connect else ()
    return tuple(dict.fromkeys((*provider.sources, *of_the_consent)))


def connecting(provider: Provider) -> Iterator[str]:
    """Yields how people connect to a provider, or why they cannot, a sentence each."""
    if why := why_not(provider):
        yield f"Nobody connects by a consent here. {why}"
        return
    assert provider.connect is not None
    consent = provider.connect
    yield f"People connect by a consent: `refresher connect {provider.name}`."
    places = " or ".join(PLACES[place] for place in consent.identity.found_in)
    yield f"Which account it was, {places} tells{_doubt(consent, 'identity')}."
    if consent.second_step:
        yield "The token that comes first is exchanged for a long-lived one."
    if consent.refresh_token == "sometimes":
        yield "Not every app is given a refresh token."
    if provider.pkce == "no":
        yield f"No code challenge (PKCE) is sent{_doubt(consent, 'pkce')}."
    if consent.asks_host:
        yield "Where nobody names the host, the page asks for it."
    if rule := REDIRECTS.get(consent.redirect_rule):
        yield f"{rule}{_doubt(consent, 'redirect_rule')}."


def _doubt(consent: Consent, name: str) -> str:
    return " (not confirmed)" if name in consent.unsure else ""


def in_words(provider: Provider) -> list[str]:
    """Returns what a provider's tokens do, a sentence each."""
    return [
        *_how(provider), *_access_token(provider), *_refresh_token(provider), *_slots(provider),
    ]  # fmt: skip


def _slots(provider: Provider) -> Iterator[str]:
    apart, together = (", ".join(names(provider, how)) for how in ("apart", "together"))
    if apart:
        yield f"Besides the main token there may be others with refresh tokens of their own: {apart}."
    if together:
        yield f"Each answer may bring further tokens beside the main one: {together}."


def _how(provider: Provider) -> Iterator[str]:
    match provider.strategy:
        case Strategy.REFRESH_TOKEN:
            yield "A refresh token, which comes with a person's consent, buys each new access token."
        case Strategy.LONG_LIVED_EXCHANGE:
            yield "There is no refresh token: a living access token is exchanged for a longer one."
        case Strategy.CLIENT_CREDENTIALS:
            yield "There is no refresh token: the app itself is given an access token, again and again."
        case Strategy.PLUGIN:
            yield f"How a new access token is had is the business of the plug-in {provider.plugin}."
        case Strategy.JWT_BEARER | Strategy.GITHUB_APP:
            yield "There is no refresh token: what the app signs buys each new access token."
        case _:
            assert_never(provider.strategy)


def _access_token(provider: Provider) -> Iterator[str]:
    life = provider.access_token_lifetime_seconds
    if life is None:
        assumed = span(FALLBACK_LIFETIME_SECONDS)
        yield f"How long an access token lives, answers tell; {assumed} where one does not."
    else:
        unsure = _unsure(provider, "access_token_lifetime_seconds")
        yield f"An access token lives {span(life)}{unsure}, or as long as an answer says."
    if provider.min_token_age_seconds:
        yield f"It is renewed no sooner than it is {span(provider.min_token_age_seconds)} old."
    if provider.not_before_expiry_seconds:
        yield f"It is renewed no sooner than {span(provider.not_before_expiry_seconds)} before its end."


def _refresh_token(provider: Provider) -> Iterator[str]:
    if provider.strategy is not Strategy.REFRESH_TOKEN:
        return
    unsure = _unsure(provider, "rotation")
    match provider.rotation:
        case Rotation.ALWAYS:
            yield f"Each refresh spends the refresh token and brings another{unsure}."
        case Rotation.SOMETIMES if unsure:
            yield "Whether a refresh spends the refresh token is not known: what comes is kept."
        case Rotation.SOMETIMES:
            yield "A refresh may bring another refresh token, which takes the place of the old one."
        case Rotation.NEVER:
            yield f"The refresh token stays the same{unsure}."
        case _:
            assert_never(provider.rotation)
    yield from _grace(provider)
    yield from _end(provider)


def _grace(provider: Provider) -> Iterator[str]:
    if provider.reuse_grace_seconds:
        unsure = _unsure(provider, "reuse_grace_seconds")
        yield f"A spent one is taken for {span(provider.reuse_grace_seconds)} more{unsure}."


def _end(provider: Provider) -> Iterator[str]:
    life = provider.refresh_token_lifetime_seconds
    unsure = _unsure(provider, "refresh_token_lifetime_seconds")
    if life is None:
        known = "not known" if unsure else "in none of our sources, if it has an end at all"
        yield f"When a refresh token ends is {known}."
    elif provider.refresh_token_clock == "sliding":
        yield f"A refresh token ends after {span(life)} without a refresh{unsure}."
    else:
        yield f"A refresh token ends {span(life)} after the consent{unsure}: then a person is asked."


def _unsure(provider: Provider, name: str) -> str:
    return " (not confirmed)" if name in provider.unsure else ""
