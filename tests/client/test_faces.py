"""One implementation: the SDK for threads is made of the one for asyncio, and offers the same."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from refresher.client import ApiError, AsyncRefresher, Refresher
from tests.sdk_faces import MADE, modules

LEFT_OUT = {
    "getToken": "token() asks by requestToken, which also takes a report",
    "listConnectSessions": "an application keeps the ids of those it began; step_up looks itself",
    "useResumeLink": "it is for who has no key",
    "takeSignal": "it is for providers",
    **dict.fromkeys(
        ["listRecipients", "putRecipient", "deleteRecipient", "showRecipient", "changeRecipient"],
        "who gets mail is an operator's",
    ),
    **dict.fromkeys(
        ["listOrganizations", "showOrganization", "putOrganization"],
        "what messages say of an organization is an operator's",
    ),
    **dict.fromkeys(
        ["listProviders", "showProvider", "listPauses", "endPauses", "showStats", "showHistory"],
        "how the whole stands is an operator's",
    ),
    **dict.fromkeys(
        ["listAnswers", "showAnswer", "rereadAnswer", "rereadAnswers"],
        "what could not be read is an operator's",
    ),
}
"""Operations of the API without a method, and why."""
PATH = re.compile(r"\{[^}]*\}")
ID = "7b0d2a4e-5c0f-4c53-9f0e-0f6d1b7c9a11"
SAMPLES: dict[str, Any] = {
    "deed": "pause",
    "job_id": 7,
    "response": httpx.Response(
        403, headers={"www-authenticate": 'Bearer error="insufficient_scope"'}
    ),
}
NAMED: dict[str, dict[str, Any]] = {
    "connect_complete": {"code": "c", "verifier": "v"},
    "create": {"url": "https://app.example", "events": ["*"]},
    "register": {"organization_id": "org", "provider": "acme", "external_id": "1"},
    "set": {"client_id": "c", "client_secret": None},
}


def test_the_one_for_threads_is_up_to_date():
    """`make client` would write what is there."""
    written = {path.name: path.read_text(encoding="utf-8") for path in MADE.glob("*.py")}
    assert written == modules(), "`make client` writes it anew"


@pytest.mark.parametrize("part", ["", "webhooks", "apps", "bulk"])
def test_both_offer_the_same(part: str):
    """The same methods, with the same arguments and the same words."""

    def told(kind: type, *, is_async: bool) -> dict[str, tuple[str, str | None]]:
        if part:
            hints = inspect.get_annotations(getattr(kind, part).fget, eval_str=False)["return"]
            module = inspect.getmodule(kind)
            kind = getattr(module, hints)
        found = inspect.getmembers(kind, inspect.isfunction)
        public = {n: f for n, f in found if not n.startswith("_") and n not in {"close", "aclose"}}
        assert all(
            (inspect.iscoroutinefunction(f) or "AsyncIterator" in str(inspect.signature(f)))
            is is_async
            for n, f in public.items()
            if n != "auth"
        )
        return {
            n: (re.sub(" -> .*", "", str(inspect.signature(f))), f.__doc__)
            for n, f in public.items()
        }

    for_tasks = told(AsyncRefresher, is_async=True)
    for_threads = told(Refresher, is_async=False)
    for_tasks = {
        name: (given.replace("Async", ""), re.sub(r"(?<!`)Async(?=[A-Z])", "", doc or ""))
        for name, (given, doc) in for_tasks.items()
    }
    assert for_threads == for_tasks
    assert all(doc for _, doc in for_threads.values())


def test_what_the_api_does_the_sdk_does():
    """Each operation of the API is asked for by a method, or left out for a reason."""
    golden = Path(__file__).parent.parent / "golden" / "openapi.json"
    known = {
        (method.upper(), PATH.sub("X", path)): operation["operationId"]
        for path, methods in json.loads(golden.read_text())["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict)
    }
    asked = asked_by_all_methods()
    assert asked.keys() <= known.keys()
    left_out = set(known.values()) - {known[one] for one in asked}
    assert left_out == LEFT_OUT.keys()


def test_what_is_done_once_has_a_key():
    """An Idempotency-Key goes with what the API does once for one, so that it can be sent again."""
    golden = Path(__file__).parent.parent / "golden" / "openapi.json"
    takes = {
        (method.upper(), PATH.sub("X", path))
        for path, methods in json.loads(golden.read_text())["paths"].items()
        for method, operation in methods.items()
        if "Idempotency" in json.dumps(operation.get("parameters", []))
    }
    asked = asked_by_all_methods()
    # Nobody waits for a refresh twice: it is asked for at most once.
    takes -= {("POST", "/v1/connections/X/refresh")}
    assert {one for one, has_key in asked.items() if has_key} == takes & asked.keys()


def asked_by_all_methods() -> dict[tuple[str, str], bool]:
    """Calls each method of the SDK once; returns what the API was asked for, and whether with a key."""
    asked = {}

    def record(request: httpx.Request) -> httpx.Response:
        path = re.sub(f"{ID}|/7(?=/|$)", lambda m: "/X" if m[0] == "/7" else "X", request.url.path)
        asked[request.method, path] = "idempotency-key" in request.headers
        return httpx.Response(418)

    client = httpx.Client(transport=httpx.MockTransport(record))
    with Refresher(api_url="http://localhost", api_key="rfr_x", http_client=client) as opened:
        for part in (opened, opened.webhooks, opened.apps, opened.bulk):
            for name, method in inspect.getmembers(part, inspect.ismethod):
                if not name.startswith("_") and name not in {"close", "auth"}:
                    with suppress(ApiError):
                        called(method, name)
    return asked


def called(method: Callable[..., Any], name: str) -> None:
    """Calls a method with what it needs; a list is read."""
    needed = [
        SAMPLES.get(parameter.name, ID)
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    given: Any = method(*needed, **NAMED.get(name, {}))
    for _ in given if isinstance(given, Iterator) else ():
        break
