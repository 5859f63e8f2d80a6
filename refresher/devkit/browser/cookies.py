"""The cookies of one browser: which are taken, and which go along (RFC 6265bis)."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie that was taken."""

    name: str
    value: str = field(repr=False)
    host: str
    is_for_subdomains: bool
    path: str
    is_secure: bool
    same_site: str
    expires_at: float | None


class Jar:
    """Cookies by host, path and name. `refused` tells what was not taken, and why."""

    def __init__(self) -> None:
        """Starts empty."""
        self._cookies: dict[tuple[str, str, str], Cookie] = {}
        self.refused: list[tuple[str, str]] = []

    def __iter__(self) -> Iterator[Cookie]:
        """Yields what is good now."""
        now = time.time()
        yield from (c for c in self._cookies.values() if c.expires_at is None or c.expires_at > now)

    def take(self, headers: Iterable[str], url: str) -> None:
        """Takes the Set-Cookie headers of an answer from `url`."""
        for header in headers:
            cookie, why_not = _read(header, url)
            if why_not is not None:
                self.refused.append((cookie.name, why_not))
                continue
            self._cookies[cookie.host, cookie.path, cookie.name] = cookie

    def header(self, url: str, *, is_same_site: bool, is_lax: bool) -> str:
        """Returns the Cookie header for a request; `is_lax` for a top-level GET from elsewhere."""
        allowed = (
            {"none", "lax", "strict"} if is_same_site else {"none"} | ({"lax"} & {is_lax and "lax"})
        )
        found = [c for c in self if _fits(c, url) and c.same_site in allowed]
        found.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in found)

    def names(self, host: str) -> list[str]:
        """Returns the names of the cookies of a host."""
        return [cookie.name for cookie in self if cookie.host == host]

    def clear(self) -> None:
        """Forgets all, as another browser would know nothing."""
        self._cookies.clear()


def _read(header: str, url: str) -> tuple[Cookie, str | None]:
    first, *others = [part.strip() for part in header.split(";")]
    name, _, value = first.partition("=")
    pairs = (part.partition("=") for part in others)
    told = {key.strip().lower(): text.strip() for key, _, text in pairs}
    parts = urlsplit(url)
    cookie = Cookie(
        name=name,
        value=value,
        host=told.get("domain", "").lstrip(".").lower() or parts.hostname or "",
        is_for_subdomains=bool(told.get("domain")),
        path=told["path"] if told.get("path", "").startswith("/") else _default_path(parts.path),
        is_secure="secure" in told,
        same_site=told.get("samesite", "lax").lower(),
        expires_at=time.time() + int(told["max-age"]) if "max-age" in told else None,
    )
    return cookie, _why_not(cookie, parts.scheme, parts.hostname or "")


def _why_not(cookie: Cookie, scheme: str, host: str) -> str | None:
    is_host_cookie = cookie.name.startswith("__Host-")
    if cookie.is_secure and scheme != "https":
        return "Secure over http"  # as Safari does on loopback, too
    if is_host_cookie and not (cookie.is_secure and cookie.path == "/"):
        return "__Host- needs Secure and Path=/"
    if is_host_cookie and cookie.is_for_subdomains:
        return "__Host- takes no Domain"
    if not (host == cookie.host or host.endswith(f".{cookie.host}")):
        return "Domain is another's"
    if cookie.same_site == "none" and not cookie.is_secure:
        return "SameSite=None needs Secure"
    return None


def _fits(cookie: Cookie, url: str) -> bool:
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path or "/"
    is_host = host == cookie.host or (cookie.is_for_subdomains and host.endswith(f".{cookie.host}"))
    is_path = path == cookie.path or path.startswith(cookie.path.rstrip("/") + "/")
    return is_host and is_path and (parts.scheme == "https" or not cookie.is_secure)


def _default_path(path: str) -> str:
    return path.rpartition("/")[0] or "/"
