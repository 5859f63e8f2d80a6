"""The OpenAPI document and the page `/docs`, for programs and for people, without a key.

FastAPI makes the document from the operations; what it cannot know is added here: problems, examples,
and the words of `openapi.toml`. The page is plain HTML: no script, and nothing loaded from elsewhere;
`/docs?find=token` has the operations alone that speak of a token.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import orjson
from fastapi.openapi.utils import get_openapi
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from refresher import __version__
from refresher.web import refusals
from refresher.web.problems import CODES
from refresher.web.resume import ResumeBody
from refresher.web.routes import ApiRoute

Document = dict[str, Any]
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
REF = "#/components/schemas/"
CODE = re.compile(r"`([^`]+)`")
MOST_SOUGHT = 100
DOCUMENTATION = "https://github.com/refresher/refresher/tree/main/docs"
INTRODUCTION = """\
Tokens that are always fresh, and what there is to know about the connections they belong to.

Every request carries an API key as `Authorization: Bearer rfr_…`, but for those that say they take
none. Errors are problem details (RFC 9457) whose `code` does not change between versions. Instants are
in UTC, durations in seconds."""
KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key of `refresher keys create`, such as `rfr_…`.",
}
ETAG = {"description": "The version of the connection.", "schema": {"type": "string"}}


def pages(operations: Sequence[ApiRoute], public_url: str | None) -> list[Route]:
    """Returns the routes; the answers are made once."""
    made = document(operations, public_url)
    as_json, page = orjson.dumps(made), _page(made, operations)
    whole = page("")

    async def openapi(_request: Request) -> Response:
        return Response(as_json, media_type="application/json")

    async def docs(request: Request) -> Response:
        sought = request.query_params.get("find", "").strip()[:MOST_SOUGHT]
        text = page(sought) if sought else whole
        return Response(text, media_type="text/html", headers={"content-security-policy": POLICY})

    async def root(_request: Request) -> Response:
        return RedirectResponse("/docs")

    return [Route("/openapi.json", openapi), Route("/docs", docs), Route("/", root)]


def _page(made: Document, operations: Sequence[ApiRoute]) -> Callable[[str], str]:
    """Returns what makes the page: whole, or of the operations that speak of what is sought."""
    here = files(__package__)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["marked"] = _marked
    template, of_one = (
        environment.from_string(here.joinpath(name).read_text("utf-8"))
        for name in ("docs.html", "docs_operation.html")
    )
    shown = [_shown(made, one) for one in operations if one.include_in_schema]
    for one in shown:  # once, and not for each search of whoever comes
        one["html"] = Markup(of_one.render(one=one))  # noqa: S704  it is escaped
    given = {
        "info": made["info"],
        "server": made["servers"][0]["url"],
        "codes": CODES,
        "guides": DOCUMENTATION,
    }

    def page(sought: str) -> str:
        found = [one for one in shown if sought.lower() in one["words"]]
        return template.render(given, operations=found, sought=sought)

    return page


def _marked(text: str) -> Markup:
    """Returns a text as HTML, what stands between backticks as code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  it is escaped


def document(operations: Sequence[ApiRoute], public_url: str | None = None) -> Document:
    """Returns the whole document."""
    words = tomllib.loads(files(__package__).joinpath("openapi.toml").read_text("utf-8"))
    made = get_openapi(
        title="refresher",
        version=__version__,
        description=INTRODUCTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        external_docs={"url": DOCUMENTATION, "description": "Guides, settings, providers."},
        routes=operations,
        servers=[{"url": public_url or "/", "description": "This server."}],
    )
    made = _renamed(made, words["names"])
    wanted: Any = [(refusals.ProblemDetails, "serialization"), (ResumeBody, "validation")]
    _, more = models_json_schema(wanted, ref_template=REF + "{model}")
    schemas = made["components"]["schemas"] | more["$defs"]
    for unused in ("HTTPValidationError", "ValidationError"):
        del schemas[unused]
    made["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "securitySchemes": {"apiKey": KEY},
    }
    made["security"] = [{"apiKey": []}]
    bodies = {_model(operation) for operation in _operations(made)}
    for name, schema in made["components"]["schemas"].items():
        _describe(name, schema, words, is_answer=name not in bodies | set(more["$defs"]))
    for operation in _operations(made):
        _complete(made, operation, words["bodies"])
    made["components"]["responses"] = refusals.shared(_operations(made))
    return made


def _operations(made: Document) -> Iterator[Document]:
    for item in made["paths"].values():
        yield from item.values()


def _renamed(made: Document, names: Mapping[str, str]) -> Document:
    """Returns the document with the store's values under the names that clients know."""
    text = orjson.dumps(made).decode()
    for old, new in names.items():
        text = text.replace(f'"{REF}{old}"', f'"{REF}{new}"').replace(f'"{old}":{{', f'"{new}":{{')
    renamed: Document = orjson.loads(text)
    return renamed


def _describe(name: str, schema: Document, words: Document, *, is_answer: bool) -> None:
    """Gives a schema and its fields their descriptions and examples."""
    if name in words["schemas"]:
        schema["description"] = words["schemas"][name]
    schema["title"] = name
    if "properties" not in schema:
        return
    for field, described in schema["properties"].items():
        found = words["fields"].get(f"{name}.{field}", words["fields"].get(field))
        if found is not None:
            described.setdefault("description", found[0])
            described.update({"examples": found[1:]} if found[1:] else {})
    if is_answer:
        schema["required"] = list(schema["properties"])


def _complete(made: Document, operation: Document, bodies: Document) -> None:
    """Adds to an operation what FastAPI cannot know."""
    schemas = made["components"]["schemas"]
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _plain(schemas, parameter["schema"])
    operation.setdefault("parameters", [])
    responses = {s: one for s, one in operation["responses"].items() if s < "400"}
    if "202" in responses:
        del responses["202"]["content"]
    for response in responses.values():
        for content in response.get("content", {}).values():
            schema = _resolved(schemas, content["schema"])
            response["description"] = schema.get("description", "").split("\n")[0]
            content["example"] = _example(schemas, schema)
            if schema.get("title") == "Connection":
                response["headers"] = {"ETag": ETAG}
    operation["responses"] = {**responses, **refusals.of(operation["x-problems"])}
    if "requestBody" in operation:
        operation["requestBody"].setdefault("required", False)
        content = operation["requestBody"]["content"].get("application/json", {})
        if model := _model(operation):
            content["example"] = bodies.get(model)


def _plain(schemas: Document, schema: Document) -> Document:
    """Returns a parameter's schema without null (a query has none) and without references."""
    variants = [v for v in schema.get("anyOf", []) if v != {"type": "null"}]
    rest = {k: v for k, v in schema.items() if k not in {"anyOf", "title"} and v is not None}
    whole = {**(variants[0] if variants else {}), **rest}
    if "$ref" in whole:
        found = _resolved(schemas, {"$ref": whole.pop("$ref")})
        whole = {k: v for k, v in found.items() if k in {"type", "enum"}} | whole
    return whole


def _model(operation: Document) -> str | None:
    """Returns the name of an operation's body."""
    content = operation.get("requestBody", {}).get("content", {})
    found = re.search(rf"{REF}(\w+)", str(content.get("application/json")))
    return found[1] if found else None


def _resolved(schemas: Document, schema: Document) -> Document:
    found: Document = schema
    if "$ref" in schema:
        found = schemas[schema["$ref"].removeprefix(REF)]
    return found


def _example(schemas: Document, schema: Document) -> Any:
    """Returns a value that fits, made of the examples of its fields."""
    schema = _resolved(schemas, schema)
    if "examples" in schema:
        return schema["examples"][0]
    if "properties" in schema:
        return {name: _example(schemas, one) for name, one in schema["properties"].items()}
    if "items" in schema:
        return [_example(schemas, schema["items"])]
    if "anyOf" in schema:
        return _example(schemas, schema["anyOf"][0])
    return schema.get("const", schema.get("enum", [None])[0])


def _shown(made: Document, route: ApiRoute) -> Document:
    """Returns what the page tells of one operation."""
    method = next(iter(route.methods or ()))
    operation = made["paths"][route.path_format][method.lower()]
    body = _model(operation)
    answers = [one for status, one in operation["responses"].items() if status < "400"]
    return {
        "words": orjson.dumps([route.path_format, operation]).decode().lower(),
        "curl": _curl(made, method, route.path_format, operation),
        "example": _as_text(_content(answers[0]).get("example")) if answers else "",
        "route": {"method": method, "path": route.path_format, "summary": operation["summary"]},
        "made": operation,
        "body": body and _fields(made, body),
        "answers": {
            status: _answer(made, one)
            for status, one in operation["responses"].items()
            if status < "400"
        },
        "codes": operation["x-problems"],
    }


def _curl(made: Document, method: str, path: str, operation: Document) -> str:
    """Returns a command that asks for it; its ids are placeholders."""
    server = made["servers"][0]["url"].rstrip("/") or "http://127.0.0.1:8080"
    lines = [f"curl -X {method} '{server}{path}'"]
    if operation.get("security") != []:
        lines.append("-H 'Authorization: Bearer rfr_…'")
    if body := _content(operation.get("requestBody", {})).get("example"):
        lines += ["-H 'Content-Type: application/json'", f"-d '{_as_text(body)}'"]
    return " \\\n  ".join(lines)


def _content(described: Document) -> Document:
    """Returns what is told of the JSON of a body or an answer; nothing where it has none."""
    found: Document = described.get("content", {}).get("application/json", {})
    return found


def _as_text(example: Any) -> str:
    return "" if example is None else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()


def _answer(made: Document, response: Document) -> tuple[str, list[tuple[str, str, str]]]:
    if "content" not in response:
        return "empty", []
    name = response["content"]["application/json"]["schema"]["$ref"].removeprefix(REF)
    return name, _fields(made, name)


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
