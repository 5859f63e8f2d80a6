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
from refresher.catalogue.fact_checks import fact_faults
from refresher.catalogue.urls import undeclared, url_faults
from refresher.rules.placeholders import HOST, NAME, PLACEHOLDER, PLAIN_HOST, named_in
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy

DANGEROUS_HOSTS = (
    *("", " ", "/", "a b", "a\n", "a\nb", "a\\b", "%2f", "a%2fb", "a:b", "a:b:80"),
    *("a/b", "a@b", "a#b", "a?b", "a.b/c", "a.b@c.d", "a.b#c", "a.b?c", "a/b:80", "a@b:80"),
)
"""A pattern that matches one of these is refused."""
FOREIGN_HOSTS = ("attacker.example", "localhost", "127.0.0.1", "169.254.169.254", "a-b.example:443")
"""Hosts that no pattern should match where the placeholder is the server's name."""
SECRET_PARAMETERS = ("client_secret", "refresh_token", "access_token", "client_assertion")
MAX_FIELD_NAME = 120
SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")


def faults(provider: Provider, *, allow_loopback: bool) -> Iterator[str]:
    """Yields every contradiction in `provider`, each as one sentence that begins with a field."""
    for field, url in _urls(provider).items():
        yield from url_faults(
            field, url, allow_loopback=allow_loopback, placeholders=provider.placeholders
        )
    yield from _issuer_faults(provider, allow_loopback=allow_loopback)
    yield from _host_faults(provider)
    yield from _placeholder_faults(provider)
    yield from _kept_field_faults(provider)
    yield from _slot_faults(provider)
    yield from _strategy_faults(provider)
    yield from _request_faults(provider)
    yield from _error_faults(provider)
    yield from behaviour_faults(provider)
    yield from _duration_faults(provider)
    yield from fact_faults(provider, allow_loopback=allow_loopback)


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
    for name in SECRET_PARAMETERS:
        if name in provider.parameters:
            yield f"parameters must not hold {name}: secrets belong to connections and to [apps]"
    for name, value in provider.headers.items():
        if name.lower() in SECRET_HEADERS:
            yield f"headers must not hold {name}: client_auth and [apps] do that"
        elif not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not value.isprintable():
            yield f'headers has "{name}", whose name or value no HTTP header may have'


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
        elif slot.refreshed == "apart" and provider.strategy is Strategy.CLIENT_CREDENTIALS:
            yield (
                f"slots.{name} is refreshed apart, but client_credentials has no refresh token: "
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
    wrong = list(_pattern_faults("host_pattern", pattern))
    yield from wrong
    for field in ("default_host", "host_example"):
        host = getattr(provider, field)
        if host and not wrong and not _allows(pattern, host):
            yield f'{field} is "{host}", which host_pattern does not match'


def _allows(pattern: str, host: str) -> bool:
    return bool(PLAIN_HOST.fullmatch(host) and re.fullmatch(pattern, host))


def _pattern_faults(field: str, pattern: str) -> Iterator[str]:
    """Yields what is wrong with a pattern for a URL: it must compile and list what it allows."""
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield f"{field} is not a regular expression: {error}"
        return
    bare = re.sub(r"\\.", "", pattern, flags=re.DOTALL)
    outside_classes = re.sub(r"\[\^?\]?[^\]]*\]", "", bare)
    if "." in outside_classes:
        yield rf'{field} has a bare ".", which matches any character: write "\." for a dot'
        return
    if "[^" in bare:
        yield f"{field} has [^…]: list the characters that are allowed, not those that are not"
        return
    caught = next((host for host in DANGEROUS_HOSTS if compiled.fullmatch(host)), None)
    if caught is not None:
        what = "the name of a host" if field == "host_pattern" else "one plain word of a URL"
        yield f"{field} matches {caught!r}, which is not {what}"
    elif compiled.fullmatch("a.example:443") and ":" not in bare:
        yield f"{field} matches a port: allow one by writing the colon"


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


def _placeholder_faults(provider: Provider) -> Iterator[str]:
    """Yields what is wrong with the declared placeholders, and with those in parameters and headers."""
    in_urls = set(named_in(_urls(provider).values()))
    in_values = set(named_in((*provider.parameters.values(), *provider.headers.values())))
    for name, pattern in provider.placeholders.items():
        if name == HOST:
            yield "placeholders has host, which has a field of its own: host_pattern"
        elif not NAME.fullmatch(name):
            yield f'placeholders has "{name}", which is no name: use a-z, 0-9 and "_"'
        elif name in in_urls:
            yield from _pattern_faults(f"placeholders.{name}", pattern)
        elif name in in_values:
            yield from _not_compiling(name, pattern)
        else:
            yield f"placeholders has {name}, but no URL, parameter or header has {{{name}}}"
    yield from _foreign(provider)


def _foreign(provider: Provider) -> Iterator[str]:
    """Yields the placeholders of parameters and headers that nobody declared."""
    known = {*provider.placeholders, *({HOST} if provider.host_pattern else ())}
    for field in ("parameters", "headers"):
        for key, text in getattr(provider, field).items():
            for name in named_in([text]):
                if name == HOST and HOST not in known:
                    yield f"{field}.{key} has {{host}}, but host_pattern is missing"
                elif name not in known:
                    yield f"{field}.{key} has {{{name}}}, {undeclared(name)}"


def _not_compiling(name: str, pattern: str) -> Iterator[str]:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield f"placeholders.{name} is not a regular expression: {error}"


def _urls(provider: Provider) -> dict[str, str]:
    """Returns where tokens are sent, by the field that says so."""
    known = {
        name: getattr(provider, name) for name in ("token_url", "refresh_url", "revocation_url")
    }
    return {name: url for name, url in known.items() if url}
