"""What the story says, as the values of a page: what is shown of it, how it sounds, and the way on.

Words of a provider, such as `error_description`, are for developers and on no page (C25).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from refresher.connections.visit_values import Failed, StartView
from refresher.rules.connect import Problem, Session, Trouble, shown
from refresher.web.connect.pages import TONES

ERROR_CODE = re.compile(r"([a-z][a-z0-9_.-]{2,63})(?::|$)")
"""How a trouble's sentence begins where the provider named an error."""
NO_BUTTON = frozenset({Problem.APP_WRONG, Problem.RIGHT_ENDED, Problem.TOO_MANY_ATTEMPTS})


def start(view: StartView, link: str) -> dict[str, object]:
    """Returns the values of the page with the button."""
    words = {scope: told for scope, told in view.scopes if told}
    return {
        **of_provider(view.title),
        "organization": shown(view.organization_name or view.organization_id),
        "for_whom": view.for_whom,
        "scopes": [scope for scope, _ in view.scopes],
        "scope_words": words,
        "reconnect": view.is_reconnect,
        "account": view.account,
        "asks_host": view.asks_host,
        "host": view.host,
        "host_hint": view.host_example,
        "action": f"/connect/{link}/start",
    }


def connected(session: Session, title: str) -> dict[str, object]:
    """Returns the values of the page that says so."""
    label = session.result and session.result.account_label
    return {
        **of_provider(title),
        "tone": "good",
        "account": shown(str(label)) if label else None,
        "for_whom": session.for_whom,
    }


def failed(view: Failed, scope_words: Mapping[str, str]) -> dict[str, object]:
    """Returns the values of the page that says why not, with the ways on."""
    session, code = view.session, view.trouble.code
    retry = view.may_retry and code not in NO_BUTTON
    return {
        **of_provider(view.title),
        **_detail(view.trouble),
        "code": code.value,
        "scope_words": scope_words,
        "tone": TONES.get(code, "warn"),
        "session": str(session.id),
        "again": f"/connect/result/{session.id}/again" if retry else None,
        "back": view.return_url,
    }


def of_provider(title: str) -> dict[str, object]:
    """Returns the provider's name as it is shown."""
    return {"provider": shown(title)}


def _detail(trouble: Trouble) -> dict[str, object]:
    known, found = trouble.detail, ERROR_CODE.match(trouble.sentence)
    missing = known.get("missing_scopes")
    return {
        "used": shown(str(known["used"])) if "used" in known else None,
        "account": shown(str(known["wanted"])) if "wanted" in known else None,
        "missing": [shown(str(one)) for one in missing] if isinstance(missing, list) else [],
        "detail": found[1] if found and trouble.code is Problem.APP_WRONG else None,
    }
