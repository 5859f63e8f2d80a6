"""Reads DATABASE_URL as PostgreSQL's own client does, and tells what is wrong with it in a sentence.

libpq reads it: so its options count, hosts may be several or a socket's folder, and what it does not
know is refused. Of a URL that cannot be read nothing is repeated: a part of the password may stand
anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote, urlencode

from refresher.errors import SettingsError

SCHEMES = ("postgres", "postgresql", "postgresql+psycopg")
ENCODE = (
    "percent-encode what is special in user and password (@ as %40, : as %3A, / as %2F, "
    "% as %25, a space as %20)"
)
_OF_OTHERS = {
    "pgbouncer": "for a pooler in transaction mode set REFRESHER_LIVENESS_LOCK to false",
    "schema": "set REFRESHER_DATABASE_SCHEMA",
    "currentschema": "set REFRESHER_DATABASE_SCHEMA",
    "search_path": "set REFRESHER_DATABASE_SCHEMA",
    "connection_limit": "set REFRESHER_DATABASE_POOL_SIZE",
    "pool_size": "set REFRESHER_DATABASE_POOL_SIZE",
    "prepare_threshold": "with REFRESHER_LIVENESS_LOCK=false nothing is prepared",
    "statement_cache_size": "with REFRESHER_LIVENESS_LOCK=false nothing is prepared",
    "statement_timeout": "set REFRESHER_STATEMENT_TIMEOUT_SECONDS",
    "sslaccept": "sslmode says how TLS is checked",
    "sslcert_file": "the option is called sslcert",
}
"""What to do instead of an option of other clients."""
_WORDS = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "target_session_attrs": (
        "any", "read-write", "read-only", "primary", "standby", "prefer-standby",
    ),
    "load_balance_hosts": ("disable", "random"),
    "client_encoding": ("utf8", "UTF8", "utf-8", "UTF-8"),
}  # fmt: skip
_NUMBERS = ("connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
            "tcp_user_timeout")  # fmt: skip
_UNKNOWN = re.compile(r'invalid (?:URI query parameter|connection option)[^"]*"(\w+)"')


_PLACED = frozenset({"user", "password", "host", "port", "dbname"})
"""What stands before the options."""


class UnreadableURL(ValueError):
    """A URL that names no database we could ask; says why, without its name and without secrets."""


def sqlalchemy_url(url: str) -> str:
    """Returns `url` in the form of the driver we use; hosts give `postgres://` or `postgresql://`.

    Raises `SettingsError`.
    """
    try:
        return canonical(url)
    except UnreadableURL as error:
        raise SettingsError(f"DATABASE_URL {error}") from None


def canonical(url: str) -> str:
    """Returns `url` in SQLAlchemy's form, with everything in it at its place.

    Raises `UnreadableURL`, whose text follows the name of the variable: "has the option …".
    """
    found = parts(url)
    _check_ports(found.get("port", ""))
    for name, value in found.items():
        _check_value(name, value)
    return _written(found, "postgresql+psycopg")


def where(url: str) -> str:
    """Returns where a canonical URL leads, for people: without password and options."""
    found = {name: value for name, value in parts(url).items() if name in _PLACED}
    if "password" in found:
        found["password"] = "***"
    return _written(found, "postgresql", kept=",/*")  # the driver is our affair


def _written(found: Mapping[str, str], scheme: str, *, kept: str = "") -> str:
    """Returns the URL of its parts; one host stands where all look, several are an option."""
    host, port = found.get("host", ""), found.get("port", "")
    alone = not re.search(r"[,/%]|^@", host)  # one host, and no socket
    given = {name: value for name, value in found.items() if name not in _PLACED}
    if not alone:
        given |= {name: value for name, value in (("host", host), ("port", port)) if value}
    user = quote(found["user"], safe="") if "user" in found else None
    secret = f":{quote(found['password'], safe=kept)}" if "password" in found else ""
    place = f"[{host}]" if ":" in host else host
    return "".join(
        [
            f"{scheme}://",
            f"{user}{secret}@" if user is not None else "",
            place + (f":{port}" if port else "") if alone else "",
            f"/{quote(found['dbname'], safe=kept)}" if "dbname" in found else "",
            "?" + "&".join(f"{n}={quote(given[n], safe=kept)}" for n in sorted(given))
            if given
            else "",
        ]
    )


def _has_misplaced_at(url: str) -> bool:
    """Whether an @ (or a / before it) stands unescaped in the user's name or the password."""
    place, _, query = url.partition("://")[2].partition("?")
    authority, slash, path = place.partition("/")
    hidden = not slash or bool(re.search(r":\D", authority))
    return (
        authority.count("@") > 1
        or "@" in path
        or ("@" in query and "@" not in authority and hidden)
    )


def parts(url: str) -> dict[str, str]:
    """Returns what a URL names, by libpq's words for it; raises `UnreadableURL`."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise UnreadableURL("must begin with postgresql:// (no other database does)")
    if re.search(r"[\x00-\x1f\x7f]", rest):
        raise UnreadableURL("holds a line break or another control character: take it out")
    if _has_misplaced_at(url):
        raise UnreadableURL(f"is no URL that can be read: {ENCODE}")
    import psycopg  # noqa: PLC0415  every command reads settings, few of them a URL
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        found = conninfo_to_dict(f"postgresql://{_one_host_option(rest)}")
    except psycopg.Error as error:
        raise UnreadableURL(_why(str(error), rest)) from None
    return {name: str(value) for name, value in found.items() if value is not None}


def _one_host_option(rest: str) -> str:
    """Returns the URL with several `host=name:port` in one `host` and one `port`.

    That is how SQLAlchemy writes several hosts; libpq would take the last one alone.
    """
    place, mark, query = rest.partition("?")
    options = parse_qsl(query, keep_blank_values=True)
    hosts = [value for name, value in options if name == "host"]
    if not mark or not (len(hosts) > 1 or any(_NAME_AND_PORT.match(host) for host in hosts)):
        return rest
    pairs = [_NAME_AND_PORT.match(host) for host in hosts]
    names = [pair[1] if pair else host for pair, host in zip(pairs, hosts, strict=True)]
    ports = [pair[2] if pair else "" for pair in pairs]
    kept = [(name, value) for name, value in options if name != "host"]
    kept += [("host", ",".join(names))]
    kept += [("port", ",".join(ports))] if any(ports) else []
    return f"{place}?{urlencode(kept, quote_via=quote)}"


_NAME_AND_PORT = re.compile(r"^([\w.-]+):(\d+)$")


def _why(message: str, rest: str) -> str:
    """Returns what libpq found, in our words: its own may quote a part of the password."""
    unknown = _UNKNOWN.search(message)
    query = rest.partition("?")[2]
    if unknown and "@" not in query:
        name = unknown[1]
        instead = _OF_OTHERS.get(name.lower(), "PostgreSQL's own client does not know it")
        return f'has the option "{name}", which is not PostgreSQL\'s: take it out ({instead})'
    if any(not unquote(part).strip() or "=" not in part for part in query.split("&") if query):
        return "has an option without a value: write it as name=value"
    return f"is no URL that can be read: {ENCODE}"


def _check_ports(ports: str) -> None:
    for port in ports.split(","):
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise UnreadableURL(f"is no URL: its host or port cannot be read; {ENCODE}")


def _check_value(name: str, value: str) -> None:
    known = _WORDS.get(name)
    if known and value not in known:
        raise UnreadableURL(f"has a wrong value for {name}: it may be {', '.join(known)}")
    if name in _NUMBERS and not re.fullmatch(r"-?\d+", value):
        raise UnreadableURL(f"has a wrong value for {name}: it must be a whole number")
