"""What the pages look like, and the headers that all of them carry (C28).

A page is a template with values, ours or the user's of the same name (REFRESHER_CONNECT_TEMPLATES). The
style sheet stands in the page, and the policy names it by its hash: nothing is fetched for a page.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import orjson
import structlog
from markupsafe import Markup
from starlette.responses import Response

from refresher.outbound.rendering import TemplateFault, Templates
from refresher.rules.connect import Problem
from refresher.settings import Settings

log = structlog.get_logger()
USUAL: dict[str, object] = dict.fromkeys(
    (
        *("code", "title", "words", "tone", "foot", "button", "again", "onward", "back"),
        *("provider", "organization", "for_whom", "account", "used", "session", "detail"),
        *("reconnect", "scopes", "missing", "action", "host", "asks_host", "host_hint"),
        *("host_wrong", "sends"),
    )
) | {"scope_words": {}}
"""Every value that a template may use; None where there is nothing."""
FORMS = ("start", "leave", "wait", "connected", "ending")
_POLICY = (
    "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)
SAFE = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}
"""What is not said of a page alone, but of whatever is answered here."""


TONES: Mapping[str, str] = {
    **dict.fromkeys(("denied", "expired", "right_ended", "unknown", "unknown_result"), "still"),
    **dict.fromkeys(("app_wrong", "provider_trouble", "outcome_unknown", "internal"), "bad"),
    **dict.fromkeys(("connected_already", "link_sent"), "good"),
}
"""How an ending looks that does not only warn."""
STATUS: Mapping[str, int] = {
    **dict.fromkeys(("bad_callback", "wrong_issuer", "wrong_host", "wrong_request"), 400),
    **dict.fromkeys(("other_browser", "other_site"), 403),
    **dict.fromkeys(("unknown", "unknown_result"), 404),
    **dict.fromkeys(("expired", "right_ended", "too_many_attempts", "connected_already"), 410),
    **dict.fromkeys(("app_wrong",), 422),
    "wrong_method": 405,
    "too_large": 413,
    "too_many_requests": 429,
    "away": 503,
}
"""Of an ending that refuses; a bug is 500."""
ENDINGS = tuple(
    dict.fromkeys((*(problem.value for problem in Problem), *STATUS, "link_sent", "internal"))
)
"""The codes of all pages of the form `ending`."""


class Refused(Exception):
    """An ending that is no answer of the story: its page's code, and what its headers say."""

    def __init__(
        self,
        code: str,
        *,
        retry_after_seconds: float | None = None,
        allow: str | None = None,
        again: str | None = None,
    ) -> None:
        super().__init__(code)
        self.code, self.status = code, STATUS.get(code, 500)
        self.again = again
        self.headers: dict[str, str] = {}
        if retry_after_seconds is not None:
            self.headers["retry-after"] = str(max(1, math.ceil(retry_after_seconds)))
        if allow is not None:
            self.headers["allow"] = "GET, HEAD" if allow == "GET" else allow


class Pages:
    """Makes pages in one language: that of the templates. `product` is the name that they show."""

    def __init__(self, product: str | None = None, folder: Path | None = None) -> None:
        self._product = product
        self._templates = Templates("refresher.web.connect", folder)

    def page(self, form: str, values: Mapping[str, object], status: int = 200) -> Response:
        """Returns a page of this form (start, leave, wait, connected, ending)."""
        return Response(self._text(form, values), status, self._headers(values))

    def refusal(self, refused: Refused) -> Response:
        """Returns the page that says why something is refused."""
        code = str(refused.code)
        values = {"code": code, "tone": TONES.get(code, "warn"), "again": refused.again}
        values |= {"sends": refused.again}
        made = self.page("ending", values, refused.status)
        made.headers.update(refused.headers)
        return made

    def faults(self) -> list[TemplateFault]:
        """Returns what is wrong with the user's templates, tried with samples of every page."""
        found: list[TemplateFault] = []
        for form, code in (
            *((form, "") for form in FORMS),
            *(("ending", code) for code in ENDINGS),
        ):
            sample = SAMPLE | {"code": code, "style": self._style}
            self._templates.render(f"{form}.html", sample, found.append)
        return list(dict.fromkeys(found))

    def _text(self, form: str, values: Mapping[str, object]) -> str:
        whole = {**USUAL, "product": self._product, "style": self._style, **values}
        return self._templates.render(f"{form}.html", whole, _tell)

    def _headers(self, values: Mapping[str, object]) -> dict[str, str]:
        # A page with a form says where it comes from, or the form's `Origin` would be `null`.
        has_form = bool(values.get("action") or values.get("again"))
        return {
            **SAFE,
            "content-type": "text/html; charset=utf-8",
            "content-security-policy": _POLICY.format(self._style_hash),
            "referrer-policy": "same-origin" if has_form else "no-referrer",
        }

    @cached_property
    def _style(self) -> Markup:
        """The style sheet, as it stands between its tags: it must not end them."""
        text = self._templates.render("style.css", {}, _tell)
        return Markup(text.replace("</", "<\\/"))  # noqa: S704  the operator's file, or ours

    @cached_property
    def _style_hash(self) -> str:
        return b64encode(sha256(self._style.encode()).digest()).decode()


def faults(settings: Settings) -> list[TemplateFault]:
    """Returns what is wrong with the templates that these settings name."""
    return Pages(settings.connect_name, settings.connect_templates).faults()


SAMPLE: dict[str, object] = {
    **USUAL,
    "product": "Acme",
    "provider": "Google",
    "organization": "Acme Inc.",
    "for_whom": "Ann",
    "account": "a•••@acme.example",
    "used": "ben@acme.example",
    "scopes": ("openid", "calendar.readonly"),
    "missing": ("calendar.readonly",),
    "action": "/connect/link/start",
}


def elsewhere(url: str) -> Response:
    """Returns the answer that leads to another address: 303, so that nothing is sent there (C26)."""
    return Response(
        status_code=303, headers={**SAFE, "referrer-policy": "no-referrer", "location": url}
    )


def nothing() -> Response:
    """Returns the answer to who only looks ahead: it shows nothing, and has changed nothing."""
    return Response(status_code=204, headers={**SAFE, "referrer-policy": "no-referrer"})


def document(told: Mapping[str, object]) -> Response:
    """Returns an answer for programs, which may keep it for an hour."""
    headers = {**SAFE, "cache-control": "max-age=3600", "referrer-policy": "no-referrer"}
    return Response(orjson.dumps(told), 200, headers, "application/json")


def _tell(fault: TemplateFault) -> None:
    log.error(
        "a template of a connect page does not render; the built-in one is used",
        template=fault.template,
        why=fault.why,
    )
