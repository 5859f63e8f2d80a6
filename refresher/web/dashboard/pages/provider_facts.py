"""A provider's facts in words for a page, each marked where its documentation does not confirm it.

Pure: an entry in, words out. Sentences for the terminal are `catalogue/telling.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from refresher.catalogue import telling
from refresher.rules.changes import AFTER_DAYS
from refresher.rules.policy import Policy, lead
from refresher.rules.providers import Provider, Rotation, Strategy
from refresher.rules.words import number, span

MOST_SOURCES = 20
MIDDLE = 0.5
"""Without jitter: a spread from 0 to 1 is what sets two rows apart."""
STRATEGIES = {
    Strategy.REFRESH_TOKEN: "refresh token",
    Strategy.LONG_LIVED_EXCHANGE: "exchange of a long-lived access token",
    Strategy.CLIENT_CREDENTIALS: "client credentials, minted anew",
    Strategy.JWT_BEARER: "an assertion that the app signs, minted anew",
    Strategy.GITHUB_APP: "an assertion of the GitHub app, minted anew",
    Strategy.PLUGIN: "a plug-in",
}
ROTATES = {
    Rotation.ALWAYS: "with each refresh",
    Rotation.SOMETIMES: "sometimes",
    Rotation.NEVER: "never",
}
SHORT = {Rotation.ALWAYS: "rotates", Rotation.SOMETIMES: "may rotate", Rotation.NEVER: "stays"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: what it is of, in words, and whether its documentation does not confirm it."""

    name: str
    words: str
    is_unsure: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from: a link where the catalogue itself names it, else only text."""

    text: str
    link: str | None


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a provider has announced, and from which day on it holds."""

    on: str
    what: str
    source: Source


def facts(provider: Provider, policy: Policy) -> list[Fact]:
    """Returns what is to be known of a provider, in few words each."""
    return list(_facts(provider, policy))


def _facts(provider: Provider, policy: Policy) -> Iterator[Fact]:
    def fact(name: str, words: str, *fields: str) -> Fact:
        return Fact(name, words, bool({*fields} & {*provider.unsure}))

    yield fact("Token URL", _url(provider), "token_url", "refresh_url")
    yield fact("Strategy", STRATEGIES[provider.strategy], "strategy")
    yield fact("Client auth", provider.client_auth.value.replace("_", " "), "client_auth")
    if provider.strategy is Strategy.REFRESH_TOKEN:
        yield fact("Rotates", ROTATES[provider.rotation], "rotation")
        grace = provider.reuse_grace_seconds
        yield fact("Reuse grace", span(grace) if grace else "none known", "reuse_grace_seconds")
    yield fact("Access token", _access(provider, policy), "access_token_lifetime_seconds")
    if provider.strategy is Strategy.REFRESH_TOKEN:
        clock = "refresh_token_lifetime_seconds", "refresh_token_clock"
        yield fact("Refresh token", _refresh(provider), *clock)
    yield fact("Revocation", _revocation(provider), "revocation_url", "revocation_ends")
    rate = provider.max_requests_per_second
    yield fact(
        "Rate", f"{number(rate)} a second" if rate else "no limit set", "max_requests_per_second"
    )


def day(on: date | None) -> str:
    """Returns a day as pages write it: 22 Nov 2026."""
    return f"{on.day} {on:%b %Y}" if on else "–"


def short_access(provider: Provider) -> str:
    """Returns an access token's life in a word or two."""
    life = provider.access_token_lifetime_seconds
    return span(life) if life else "as answers tell"


def short_refresh(provider: Provider) -> str:
    """Returns what becomes of refresh tokens, in few words: `rotates, 60 days`."""
    if provider.strategy is Strategy.LONG_LIVED_EXCHANGE:
        return "none, exchanged itself"
    if provider.strategy is not Strategy.REFRESH_TOKEN:
        return "none"
    life = provider.refresh_token_lifetime_seconds
    end = ""
    if life is not None:
        unused = " unused" if provider.refresh_token_clock == "sliding" else ""
        end = f", {_long(life)}{unused}"
    return SHORT[provider.rotation] + end


def sources(provider: Provider, *, ours: bool) -> list[Source]:
    """Returns where the facts come from; an entry of somebody's own file gives no links."""
    return [source(text, ours=ours) for text in telling.sources(provider)[:MOST_SOURCES]]


def source(text: str, *, ours: bool) -> Source:
    """Returns one source."""
    return Source(text, text if ours and urlsplit(text).scheme == "https" else None)


def announcements(provider: Provider, today: date, *, ours: bool) -> list[Announcement]:
    """Returns what a provider has announced, and what came true lately."""
    return [
        Announcement(day(one.on), one.what, source(one.url, ours=ours))
        for one in provider.changes
        if (today - one.on).days <= AFTER_DAYS
    ]


def _long(seconds: float) -> str:
    """Returns a length of time, in years where it is some."""
    years = seconds / (365 * 86_400)
    return f"{years:.0f} years" if years >= 2 and years == round(years) else span(seconds)


def _url(provider: Provider) -> str:
    url = provider.refresh_url or provider.token_url
    if not url:
        return f"what {provider.issuer} tells"
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"


def _access(provider: Provider, policy: Policy) -> str:
    life = provider.access_token_lifetime_seconds
    if life is None:
        return "as long as its answers tell"
    early = lead(policy, provider, life, MIDDLE)
    return f"{span(life)}, refreshed with {span(early)} left"


def _refresh(provider: Provider) -> str:
    life = provider.refresh_token_lifetime_seconds
    if life is None:
        return "no end known"
    clock = "sliding" if provider.refresh_token_clock == "sliding" else "from the consent on"
    whole = provider.refresh_token_absolute_seconds
    most = f", {_long(whole)} from the consent at most" if whole else ""
    return f"{_long(life)}, {clock}{most}"


def _revocation(provider: Provider) -> str:
    if provider.revocation_url is None:
        return "none known"
    return (
        "ends this grant"
        if provider.revocation_ends == "grant"
        else "ends all of an account's tokens"
    )
