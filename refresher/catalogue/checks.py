"""Whether a provider's fields make sense together, and what its URLs and patterns may let through.

Pure: yields sentences, raises nothing. A refresh token is sent to whatever these allow, so they are
strict: https, no credentials, and a pattern that lists what is allowed.
`rules.requests.resolve_url` checks every connection's host. What a field may be by itself is declared
with `Provider`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from refresher.catalogue.behaviour import behaviour_faults
from refresher.catalogue.consent_checks import consent_faults
from refresher.catalogue.fact_checks import fact_faults
from refresher.catalogue.placeholder_checks import pattern_faults, placeholder_faults
from refresher.catalogue.proof_checks import proof_faults
from refresher.catalogue.urls import url_faults
from refresher.catalogue.value_checks import SECRET_PARAMETERS, revocation_faults, value_faults
from refresher.rules.placeholders import HOST, NAME, PLACEHOLDER, PLAIN_HOST
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy

FOREIGN_HOSTS = ("attacker.example", "localhost", "127.0.0.1", "169.254.169.254", "a-b.example:443")
"""Hosts that no pattern should match where the placeholder is the server's name."""
MAX_FIELD_NAME = 120
BY_PLUGIN = (
    *("client_auth", "body", "method", "grant_type", "token_parameter", "parameter_names"),
    *("send_scope", "send_client_id"),
)
"""Fields that say how a request is made."""


def faults(provider: Provider, *, allow_loopback: bool) -> Iterator[str]:
    """Yields every contradiction in `provider`, each as one sentence that begins with a field."""
    for field, url in _urls(provider).items():
        yield from url_faults(
            field, url, allow_loopback=allow_loopback, placeholders=provider.placeholders
        )
    yield from _plugin_faults(provider)
    yield from _issuer_faults(provider, allow_loopback=allow_loopback)
    yield from _host_faults(provider)
    yield from placeholder_faults(provider, _urls(provider))
    yield from value_faults(provider)
    yield from revocation_faults(provider)
    yield from _kept_field_faults(provider)
    yield from _slot_faults(provider)
    yield from _strategy_faults(provider)
    yield from proof_faults(provider)
    yield from _request_faults(provider)
    yield from _error_faults(provider)
    yield from behaviour_faults(provider)
    yield from _duration_faults(provider)
    yield from fact_faults(provider, allow_loopback=allow_loopback)
    yield from consent_faults(provider, allow_loopback=allow_loopback)


def _plugin_faults(provider: Provider) -> Iterator[str]:
    """Yields what is said twice: a plug-in makes the request, and the entry says where it goes."""
    if provider.strategy is not Strategy.PLUGIN:
        if provider.plugin is not None:
            yield 'plugin is set, but strategy is not "plugin"'
        return
    if provider.plugin is None:
        yield "plugin is missing: it names an entry point of refresher.strategies"
    usual = Provider(provider.name)
    for name in BY_PLUGIN:
        if getattr(provider, name) != getattr(usual, name):
            yield f"{name} is set, but the plug-in makes the request: leave it away"


def _issuer_faults(provider: Provider, *, allow_loopback: bool) -> Iterator[str]:
    if provider.issuer is None:
        if not provider.token_url:
            yield "token_url is missing (or an issuer, whose metadata tells it)"
        return
    if "{" in provider.issuer:
        yield "issuer has a placeholder: make an entry for each issuer, or give token_url"
        return
    yield from url_faults("issuer", provider.issuer, allow_loopback=allow_loopback)
    if "?" in provider.issuer:
        yield 'issuer must not hold a query ("?…")'


def _strategy_faults(provider: Provider) -> Iterator[str]:
    match provider.strategy:
        case Strategy.LONG_LIVED_EXCHANGE if provider.grant_type is None:
            yield (
                "grant_type is missing: long_lived_exchange needs the provider's own, "
                'such as "fb_exchange_token"'
            )
        case Strategy.CLIENT_CREDENTIALS if provider.client_auth is ClientAuth.NONE:
            yield 'client_auth is "none", but client_credentials is nothing without a client'
        case _:
            return


def _request_faults(provider: Provider) -> Iterator[str]:
    if provider.method == "GET" and provider.body is not BodyForm.QUERY:
        yield 'method is "GET", which has no body: set body = "query"'
    url = provider.refresh_url or provider.token_url
    if provider.body is BodyForm.QUERY and "?" in url:
        yield 'body is "query", but the URL has a query already: move it to parameters'
    if provider.body is BodyForm.QUERY and provider.query:
        yield 'body is "query", so parameters stand in the URL: move those of query to parameters'
    if not provider.send_client_id and provider.client_auth is not ClientAuth.NONE:
        yield 'send_client_id is false, which goes with client_auth = "none" only'
    if not provider.scope_separator.isprintable():
        yield "scope_separator has a control character"


def _kept_field_faults(provider: Provider) -> Iterator[str]:
    for name in provider.keep_fields:
        if name in SECRET_PARAMETERS:
            yield f'keep_fields has "{name}", which is stored anyway, or never: leave it out'
        elif len(name) > MAX_FIELD_NAME or not name.isprintable():
            yield f"keep_fields has a name that is longer than {MAX_FIELD_NAME} characters, or odd"


def _slot_faults(provider: Provider) -> Iterator[str]:
    for name, slot in provider.slots.items():
        if not NAME.fullmatch(name):
            yield f'slots has "{name}", which is no name: use a-z, 0-9 and "_"'
        elif slot.refreshed == "apart" and provider.is_minted:
            yield (
                f"slots.{name} is refreshed apart, but {provider.strategy} has no refresh token: "
                'set refreshed = "together"'
            )


def _error_faults(provider: Provider) -> Iterator[str]:
    lists = ("dead_grant_errors", "misconfigured_errors", "retry_errors")
    seen: dict[str, str] = {}
    for field in lists:
        for code in sorted(getattr(provider, field)):
            if code in seen:
                yield f'{field} has "{code}", which stands in {seen[code]} too'
            seen.setdefault(code, field)
    lives = {"expires_in": "access_token_lifetime_fields"}
    lives["refresh_token_expires_in"] = "refresh_token_lifetime_fields"
    for name, field in lives.items():
        if name in provider.answer_names and name not in getattr(provider, field):
            yield f'answer_names has {name}, which {field} lacks: add "{name}" there'
    for code in sorted(provider.retry_errors):
        if ": " not in code:
            yield (
                f'retry_errors has "{code}", but takes exceptions only: a code, a colon and how '
                "the description begins (any code that is listed nowhere is retried)"
            )


def _duration_faults(provider: Provider) -> Iterator[str]:
    life = provider.access_token_lifetime_seconds
    if life is None:
        return
    for field in (
        "not_before_expiry_seconds",
        "min_token_age_seconds",
        "refresh_interval_seconds",
    ):
        seconds = getattr(provider, field)
        if seconds is not None and seconds >= life:
            yield f"{field} is {seconds:g}, not less than access_token_lifetime_seconds ({life:g})"


def _host_faults(provider: Provider) -> Iterator[str]:
    """Yields what is wrong between the placeholder {host}, the pattern and the default host."""
    pattern = provider.host_pattern
    if not _has_placeholder(provider):
        for field in ("host_pattern", "default_host", "host_example"):
            if getattr(provider, field):
                yield f"{field} is set, but no URL has the placeholder {{host}}"
                return
        return
    if not pattern:
        yield "host_pattern is missing: token_url has {host}, so say which hosts are allowed"
        return
    wrong = list(pattern_faults("host_pattern", pattern))
    yield from wrong
    asked = provider.connect is not None and provider.connect.asks_host
    if asked and not wrong and any(re.fullmatch(pattern, host) for host in FOREIGN_HOSTS):
        yield (
            "connect.asks_host is true, but host_pattern matches any server: a page would send people "
            "wherever somebody types"
        )
    for field in ("default_host", "host_example"):
        host = getattr(provider, field)
        if host and not wrong and not _allows(pattern, host):
            yield f'{field} is "{host}", which host_pattern does not match'


def _allows(pattern: str, host: str) -> bool:
    return bool(PLAIN_HOST.fullmatch(host) and re.fullmatch(pattern, host))


def _has_placeholder(provider: Provider) -> bool:
    """Returns whether a URL of this entry depends on the connection."""
    return any("{host}" in url for url in _urls(provider).values())


def trusts_any_server(provider: Provider) -> bool:
    """Returns whether a stored row could send a refresh token to a server of its choice."""
    url = provider.refresh_url or provider.token_url
    server = url.removeprefix("https://").split("/")[0].split(":")[0]
    last = re.search(PLACEHOLDER.pattern + "$", server)
    if last is None:
        return False  # a tenant in the path, or a subdomain of the provider's own
    patterns = {HOST: provider.host_pattern, **provider.placeholders}
    pattern = patterns.get(last[1])
    return pattern is not None and any(re.fullmatch(pattern, host) for host in FOREIGN_HOSTS)


def _urls(provider: Provider) -> dict[str, str]:
    """Returns where tokens are sent, by the field that says so."""
    known = {
        name: getattr(provider, name) for name in ("token_url", "refresh_url", "revocation_url")
    }
    return {name: url for name, url in known.items() if url}
