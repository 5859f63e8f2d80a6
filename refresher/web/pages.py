"""`GET /openapi.json` and `GET /docs`, where `/` leads: for programs and for people, without a key.

The page is plain HTML, made here: no script, and nothing that is loaded from elsewhere.
"""

from __future__ import annotations

from importlib.resources import files

import orjson
from jinja2 import Environment, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as Served

from refresher.web.call import Route
from refresher.web.open import OpenRoute
from refresher.web.openapi import Document, codes, document
from refresher.web.problems import CODES
from refresher.web.table import EVERY

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def pages() -> list[Served]:
    """Returns the routes; the answers are made once."""
    made = document()
    as_json = orjson.dumps(made)
    as_html = _html(made)

    async def openapi(_request: Request) -> Response:
        return Response(as_json, media_type="application/json")

    async def docs(_request: Request) -> Response:
        return Response(
            as_html, media_type="text/html", headers={"content-security-policy": POLICY}
        )

    async def root(_request: Request) -> Response:
        return RedirectResponse("/docs")

    return [Served("/openapi.json", openapi), Served("/docs", docs), Served("/", root)]


def _html(made: Document) -> str:
    text = files(__package__).joinpath("docs.html").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    operations = [_told(made, route) for route in EVERY]
    return environment.from_string(text).render(
        info=made["info"], operations=operations, codes=CODES
    )


def _told(made: Document, route: Route | OpenRoute) -> Document:
    """Returns what the page tells of one route."""
    if isinstance(route, OpenRoute):
        body = next((model for model in route.bodies.values() if model is not None), None)
    else:
        body = route.body
    return {
        "route": {"method": route.method, "path": route.path, "summary": route.summary},
        "made": made["paths"][route.path][route.method.lower()],
        "body": body and _fields(made, body.__name__),
        "answers": {
            status: (model.__name__, _fields(made, model.__name__)) if model else ("empty", [])
            for status, model in route.answers.items()
        },
        "codes": codes(route),
    }


def _fields(made: Document, model: str) -> list[tuple[str, str, str]]:
    """Returns name, type in words and description of each field of a model."""
    properties = made["components"]["schemas"][model]["properties"]
    return [(name, _type(p), p.get("description", "")) for name, p in properties.items()]


def _type(described: Document) -> str:
    if "$ref" in described:
        return str(described["$ref"]).rsplit("/", 1)[1]
    if "anyOf" in described:
        return " or ".join(_type(variant) for variant in described["anyOf"])
    if "enum" in described:
        return " | ".join(str(value) for value in described["enum"])
    if "const" in described:
        return str(described["const"]).lower()
    kind = str(described.get("format") or described.get("type", "any"))
    return f"list of {_type(described['items'])}" if kind == "array" else kind
