"""A person at the dashboard, in this process: cookies, forms with their tokens, pages as read."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import httpx

from refresher.devkit.browser.page import Form, Page
from refresher.rules.access import Scope
from refresher.web.dashboard import forms
from refresher.web.dashboard.sessions import Session
from tests.web.kit import Site

HERE = "http://localhost"
PUBLIC = {Scope.READ, Scope.WRITE, Scope.CONNECT, Scope.ADMIN}
"""What a session may have at most."""


class Person:
    """Somebody with a browser; `signed_in` is the usual way to one."""

    def __init__(self, site: Site, origin: str = HERE) -> None:
        self.site, self.origin = site, origin
        self.cookies: dict[str, str] = {}
        self.key_id = ""

    @classmethod
    def signed_in(
        cls,
        site: Site,
        scopes: Iterable[Scope] = PUBLIC,
        organization_id: str | None = None,
        *,
        read_only: bool = False,
    ) -> Person:
        """Returns somebody with a session of a fresh key of these scopes."""
        person = cls(site)
        answer = person.sign_in(site.new_key(scopes, organization_id), read_only=read_only)
        assert answer.status_code == 303, answer.text
        return person

    def sign_in(self, key: str, next_: str = "", *, read_only: bool = False) -> httpx.Response:
        """Sends the sign-in form; returns the answer."""
        fields = {"key": key, "next": next_} | ({"read_only": "on"} if read_only else {})
        self.key_id = key.split("_")[1] if key.startswith("rfr_") else ""
        return self.send("POST", "/ui/sign-in", fields)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Asks for a page; does not follow where it leads."""
        return self.send("GET", path, None, **headers)

    def page(self, path: str, status: int = 200) -> Page:
        """Asks for a page that there is; returns it as it is read."""
        answer = self.get(path)
        assert answer.status_code == status, (path, answer.status_code, read(answer).words)
        return read(answer)

    def post(self, path: str, once: str | None = None, **fields: Any) -> httpx.Response:
        """Sends a form to an address, with the token that its page would give."""
        own = {"csrf": self.token(path)} | ({"once": once} if once else {})
        return self.send("POST", path, {**own, **fields})

    def submit(
        self, page: str, action: str, button: str | None = None, **fields: Any
    ) -> httpx.Response:
        """Opens a page, fills in its form with this action, and sends it."""
        return self.send("POST", action, self.form(page, action).filled(button, fields))

    def form(self, page: str, action: str) -> Form:
        """Opens a page, and returns its form with this action."""
        found = [form for form in self.page(page).forms if form.action == action]
        assert found, (page, [form.action for form in self.page(page).forms])
        return found[0]

    def followed(self, answer: httpx.Response) -> Page:
        """Returns the page to which a deed leads."""
        assert answer.status_code == 303, (answer.status_code, read(answer).words)
        return self.page(answer.headers["location"].partition("#")[0])

    def token(self, path: str) -> str:
        """Returns the token of a form of this session."""
        mark = sha256(self.secret.encode()).digest()
        session = Session(None, mark, read_only=False)
        return forms.token(self.site.world.services.cipher, session, path)

    @property
    def secret(self) -> str:
        """What this browser holds in place of a key."""
        names = [name for name in self.cookies if name in {"refresher", "__Host-refresher"}]
        return self.cookies[names[0]] if names else ""

    def send(self, method: str, path: str, fields: Any = None, **headers: str) -> httpx.Response:
        """Sends a request as a page of ours would; `headers` with _ for - take the place of any."""
        told = {"origin": self.origin, "sec-fetch-site": "same-origin"}
        if method == "GET":
            told = {}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            told.setdefault("cookie", "; ".join(f"{n}={v}" for n, v in self.cookies.items()))
        sent = {"data": encoded(fields)} if fields is not None else {}
        self.site._client.cookies.clear()  # it is nobody's: cookies are ours to keep
        answer = self.site(method, f"{self.origin}{path}", key=None, headers=told, **sent)
        self._keep(answer)
        return answer

    def _keep(self, answer: httpx.Response) -> None:
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)


def encoded(fields: Any) -> dict[str, list[str]]:
    """Returns fields as httpx sends them, those of one name together."""
    pairs = fields.items() if isinstance(fields, dict) else fields
    made: dict[str, list[str]] = {}
    for name, value in pairs:
        values = value if isinstance(value, list | tuple) else [value]
        made.setdefault(name, []).extend(str(one) for one in values)
    return made


def read(answer: httpx.Response) -> Page:
    """Returns an answer as a person reads it."""
    return Page(str(answer.url), answer.status_code, answer.headers, answer.text)
