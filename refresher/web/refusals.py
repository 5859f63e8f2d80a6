"""How the OpenAPI document tells of refusals: what each is, and where it may come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from refresher.web.problems import CODES

Document = dict[str, Any]
RETRY_AFTER = {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}
CHALLENGE = {"description": "RFC 6750.", "schema": {"type": "string"}}


class FieldError(BaseModel):
    """One thing that is wrong with a body or a query."""

    field: str
    message: str


class ProblemDetails(BaseModel):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    reason: str | None = None
    retry_after_seconds: float | None = None
    errors: list[FieldError] | None = None


def of(codes: Sequence[str]) -> Document:
    """Returns the refusals with these codes, by status."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CODES[code][0], []).append(code)
    return {str(status): _problem(status, names) for status, names in by_status.items()}


def _problem(status: int, names: list[str]) -> Document:
    told = "; ".join(f"`{name}`: {CODES[name][1]}" for name in names)
    headers: Document = {}
    if status in {401, 403}:
        headers["WWW-Authenticate"] = CHALLENGE
    if status in {409, 429, 503}:
        headers["Retry-After"] = RETRY_AFTER
    content = {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    }
    return {"description": told, **({"headers": headers} if headers else {}), "content": content}


def shared(operations: Iterable[Document]) -> Document:
    """Returns the refusals that several operations make, by name; there they are pointed to.

    Written out everywhere they would be most of the document, and of the types made from it.
    """
    places: dict[str, list[tuple[Document, str]]] = {}
    for responses in [operation["responses"] for operation in operations]:
        for status in [status for status in responses if status >= "400"]:
            codes = re.findall(r"`(\w+)`:", responses[status]["description"])
            name = "Or".join(code.title().replace("_", "") for code in codes)
            places.setdefault(name, []).append((responses, status))
    found = {}
    for name, where in sorted(places.items()):
        if len(where) > 1:
            found[name] = where[0][0][where[0][1]]
            for responses, status in where:
                responses[status] = {"$ref": f"#/components/responses/{name}"}
    return found
