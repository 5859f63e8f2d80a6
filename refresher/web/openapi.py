"""The OpenAPI 3.1 document, made from the table and its models. `GET /openapi.json`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from refresher import __version__
from refresher.rules.intake_fields import MAX_TEXT_LENGTH
from refresher.web.call import Route
from refresher.web.models import ProblemDetails
from refresher.web.open import OpenRoute
from refresher.web.problems import CODES
from refresher.web.table import EVERY, OPEN, ROUTES, by_path

Document = dict[str, Any]
REF = "#/components/schemas/{model}"
PATH_PARAMETERS: dict[str, Document] = {
    "id": {"type": "string", "format": "uuid"},
    "name": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-z0-9_-]+$"},
    "webhook_id": {"type": "string", "format": "uuid"},
    "recipient_id": {"type": "string", "format": "uuid"},
    "answer_id": {"type": "string", "format": "uuid"},
    "link_id": {"type": "string", "format": "uuid"},
    "organization_id": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH},
    "token": {"type": "string", "minLength": 1},
    "provider": {"type": "string", "minLength": 1},
}
NONE_SUCH = {
    "{id}": "no_such_connection",
    "{webhook_id}": "no_such_webhook",
    "{link_id}": "no_such_link",
    "{recipient_id}": "no_such_recipient",
    "{answer_id}": "no_such_answer",
    "{organization_id}": "no_such_organization",
}
"""What a path answers where there is no such thing, or it is another organization's."""
INTRODUCTION = """\
Tokens that are always fresh, and what there is to know about the connections they belong to.

Every request carries an API key as `Authorization: Bearer rfr_…`, but for those that say they take
none. Errors are problem details (RFC 9457) whose `code` does not change between versions. Instants are
in UTC, durations in seconds."""
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that was read: 412 when the connection has changed since.",
    "schema": {"type": "string", "pattern": r'^("[0-9]+-[0-9]+"|\*)$'},
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any unique text, such as a UUID: the same request again gets the first answer.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
ETAG = {"description": "The version of the connection.", "schema": {"type": "string"}}
RETRY_AFTER = {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}
CHALLENGE = {"description": "RFC 6750.", "schema": {"type": "string"}}


def document() -> Document:
    """Returns the whole document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "refresher", "version": __version__, "description": INTRODUCTION},
        "paths": {
            **{
                path: _path(path, {r.method: _operation(r) for r in routes})
                for path, routes in by_path().items()
            },
            **{r.path: _path(r.path, {"POST": _open_operation(r)}) for r in OPEN},
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of `refresher keys create`, such as `rfr_…`.",
                }
            },
        },
        "security": [{"apiKey": []}],
    }


def codes(route: Route | OpenRoute) -> list[str]:
    """Returns the codes of all problems that a route may answer, in the order of their statuses."""
    if isinstance(route, OpenRoute):
        always = {"invalid_header", "too_large", "database_unavailable", "internal"}
        return [code for code in CODES if code in always | set(route.problems)]
    found = {"unauthorized", "rate_limited", "database_unavailable", "internal"}
    found |= {"invalid_query", "invalid_header"}
    found |= {"scope_missing"} if route.scope else set()
    found |= {code for part, code in NONE_SUCH.items() if part in route.path}
    found |= (
        {"invalid_json", "too_large", "unsupported_media_type", "invalid_body"}
        if route.body
        else set()
    )
    found |= {"changed"} if route.conditional else set()
    found |= {"too_many_waiting"} if route.waits else set()
    if route.idempotent:
        found |= {"request_under_way", "idempotency_key_reused"}
    return [code for code in CODES if code in found | set(route.problems)]


def _path(path: str, by_method: Mapping[str, Document]) -> Document:
    operations = {method.lower(): operation for method, operation in by_method.items()}
    named = re.findall(r"\{(\w+)\}", path)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": PATH_PARAMETERS[name]}
        for name in named
    ]
    return {"parameters": parameters, **operations} if parameters else operations


def _operation(route: Route) -> Document:
    needs = f"Needs the scope `{route.scope}`." if route.scope else "Takes any key."
    made: Document = {
        "operationId": _operation_id(route.method, route.path),
        "summary": route.summary,
        "description": f"{route.description} {needs}".strip(),
        "tags": list(route.tags),
        "parameters": list(_parameters(route)),
        "responses": {**_answers(route), **_problems(route)},
    }
    if route.body is not None:
        content = {"application/json": {"schema": _reference(route.body)}}
        made["requestBody"] = {"required": route.body_required, "content": content}
    return made


def _open_operation(route: OpenRoute) -> Document:
    bodies = {kind: _content(model) for kind, model in route.bodies.items()}
    return {
        "operationId": _operation_id("POST", route.path),
        "summary": route.summary,
        "description": f"{route.description} Takes no API key.",
        "tags": list(route.tags),
        "security": [],
        "parameters": [],
        "requestBody": {"required": False, "content": bodies},
        "responses": {**_answers(route), **_problems(route)},
    }


def _content(model: type[BaseModel] | None) -> Document:
    return {"schema": _reference(model)} if model is not None else {}


def _operation_id(method: str, path: str) -> str:
    words = re.findall(r"[a-z]+", re.sub(r"\{\w+\}", "one", path).removeprefix("/v1"))
    return "_".join([method.lower(), *words])


def _parameters(route: Route) -> Iterator[Document]:
    if route.query is not None:
        schema = route.query.model_json_schema(ref_template=REF)
        for name, described in schema["properties"].items():
            yield {
                "name": name,
                "in": "query",
                "required": False,
                "schema": _inlined(schema, described),
            }
    if route.conditional:
        yield IF_MATCH
    if route.idempotent:
        yield IDEMPOTENCY_KEY


def _inlined(schema: Document, described: Document) -> Document:
    """Returns a parameter's schema without null (a query has none) and without references."""
    variants = [v for v in described.get("anyOf", []) if v != {"type": "null"}]
    plain = {k: v for k, v in described.items() if k not in {"anyOf", "title"} and v is not None}
    whole = {**(variants[0] if variants else {}), **plain}
    reference = whole.pop("$ref", None)
    if reference is not None:
        found = schema["$defs"][reference.rsplit("/", 1)[1]]
        whole = {k: v for k, v in found.items() if k in {"type", "enum"}} | whole
    return whole


def _answers(route: Route | OpenRoute) -> Document:
    return {str(status): _answer(model) for status, model in route.answers.items()}


def _answer(model: type[BaseModel] | None) -> Document:
    if model is None:
        return {"description": "Taken; the answer is empty."}
    return {
        "description": (model.__doc__ or "").strip().split("\n")[0],
        **({"headers": {"ETag": ETAG}} if model.__name__ == "Connection" else {}),
        "content": {"application/json": {"schema": _reference(model)}},
    }


def _problems(route: Route | OpenRoute) -> Document:
    by_status: dict[int, list[str]] = {}
    for code in codes(route):
        by_status.setdefault(CODES[code][0], []).append(code)
    return {str(status): _problem(status, names) for status, names in by_status.items()}


def _problem(status: int, names: list[str]) -> Document:
    told = "; ".join(f"`{name}`: {CODES[name][1]}" for name in names)
    headers: Document = {}
    if status in {401, 403}:
        headers["WWW-Authenticate"] = CHALLENGE
    if status in {409, 429, 503}:
        headers["Retry-After"] = RETRY_AFTER
    content = {"application/problem+json": {"schema": _reference(ProblemDetails)}}
    return {"description": told, **({"headers": headers} if headers else {}), "content": content}


def _schemas() -> Document:
    models: dict[str, type[BaseModel]] = {"ProblemDetails": ProblemDetails}
    answers = [model for route in EVERY for model in route.answers.values()]
    models.update({model.__name__: model for model in answers if model is not None})
    bodies = {route.body for route in ROUTES if route.body is not None}
    bodies |= {model for route in OPEN for model in route.bodies.values() if model is not None}
    wanted = [(model, "validation") for model in sorted(bodies, key=lambda m: m.__name__)]
    wanted += [(model, "serialization") for model in models.values()]
    _, made = models_json_schema(wanted, ref_template=REF)  # type: ignore[arg-type]
    return dict(sorted(made["$defs"].items()))


def _reference(model: type[BaseModel]) -> Document:
    return {"$ref": REF.format(model=model.__name__)}
