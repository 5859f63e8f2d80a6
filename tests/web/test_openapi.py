"""The OpenAPI document is true: schemathesis asks every operation for good and bad, in this process."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema_rs import validator_for
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from refresher.web import docs
from refresher.web.app import OPERATIONS
from refresher.web.docs import document
from tests.web.kit import Site
from tests.web.rows import EVERY, Route

BOUNDED = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def no_trouble_of_ours(context: Any, response: Any, case: Any) -> None:
    """Refuses every 5xx but one: whoever waits for no time at all is told that it goes on."""
    goes_on = response.status_code == 503 and response.json().get("reason") == "still_refreshing"
    if not goes_on:
        not_a_server_error(context, response, case)


CHECKS = [
    no_trouble_of_ours,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
]
"""Not `positive_data_acceptance`: a provider that the catalogue lacks fits the schema, and is 422."""
MODES = list(GenerationMode)
CASES = [
    (route, mode)
    for route in EVERY
    for mode in MODES
    # Of a body that the document leaves to its sender nothing is wrong by the document.
    if mode is GenerationMode.POSITIVE or not route.is_open or any(route.bodies.values())
]
NAMES = [f"{route.method} {route.path}-{mode.value}" for route, mode in CASES]


@pytest.fixture(scope="module")
def schema(shared: Site) -> Any:
    """The document, as schemathesis reads it from the running application."""
    return schemathesis.openapi.from_asgi("/openapi.json", shared.api)


@pytest.mark.slow
@pytest.mark.parametrize(("route", "mode"), CASES, ids=NAMES)
def test_every_answer_is_the_one_that_is_described(
    shared: Site, schema: Any, route: Route, mode: GenerationMode
) -> None:
    """No 500, no undescribed status, header or shape, and nothing wrong is taken for right."""
    operation = schema[route.path][route.method]
    path = shared.parameters(route.path)
    shared.api.state._rate = 1e6
    if route.method == "GET" and "{session_id}" in route.path:  # else its end is waited for
        shared("POST", f"{route.path.format_map(path)}/cancel")

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode, path_parameters=path or None))
    def ask(case: Any) -> None:
        if route.method == "DELETE":
            shared.world.connect("foreign")
        case.call_and_validate(headers={"Authorization": f"Bearer {shared.key}"}, checks=CHECKS)

    ask()


def test_the_document_names_every_route(shared: Site) -> None:
    """`/openapi.json` is OpenAPI 3.1, needs no key, and has each row of the table once."""
    answer = shared("GET", "/openapi.json", key=None)
    assert answer.json()["openapi"].startswith("3.1")
    described = {
        (method.upper(), path): operation["operationId"]
        for path, item in answer.json()["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }
    assert set(described) == {(route.method, route.path) for route in EVERY}
    assert len(set(described.values())) == len(EVERY)


def test_the_page_for_people_needs_nothing_from_elsewhere(shared: Site) -> None:
    """`/docs` has every route and every problem, and no script, image or sheet to load."""
    answer = shared("GET", "/docs", key=None)
    page = answer.text
    for route in EVERY:
        assert f'<span class="path">{route.path}</span>' in page
    assert 'id="problem-token_unavailable"' in page
    assert "`" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
    assert "curl -X GET &#39;" in page
    assert "Authorization: Bearer rfr_…" in page
    for loading in ("<script", "src=", "<link", "@import", "url("):
        assert loading not in page
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_page_is_searched_without_a_script(shared: Site) -> None:
    """`?find=` leaves the operations that speak of it, and what is typed is text, never markup."""
    page = shared("GET", "/docs?find=webhooks", key=None).text
    assert '<span class="path">/v1/webhooks</span>' in page
    assert '<span class="path">/v1/whoami</span>' not in page
    none = shared("GET", "/docs?find=%3Cb%3Enothing", key=None).text
    assert "No operation speaks of “&lt;b&gt;nothing”." in none


def test_everything_is_described(shared: Site) -> None:
    """Each field of each shape says what it means, and each operation has a name to call it by."""
    made = shared("GET", "/openapi.json", key=None).json()
    mute = [
        f"{name}.{field}"
        for name, one in made["components"]["schemas"].items()
        for field, described in one.get("properties", {}).items()
        if not described.get("description")
    ]
    assert mute == []
    names = [one["operationId"] for item in made["paths"].values() for one in item.values()]
    assert {"getToken", "registerConnection", "listConnections"} <= set(names)
    assert made["servers"]
    project = tomllib.loads(
        (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    assert made["externalDocs"]["url"] == project["urls"]["Documentation"]


def contents(made: Any) -> list[tuple[str, Any]]:
    """Returns where a body or a good answer is described, and its schema with its example."""
    found = []
    for path, item in made["paths"].items():
        for method, operation in item.items():
            parts = [operation.get("requestBody", {}), *operation["responses"].values()]
            for part in parts:
                for kind, content in part.get("content", {}).items():
                    if kind == "application/json" and content:
                        found.append((f"{method} {path}", content))
    return found


def test_each_example_is_one(shared: Site) -> None:
    """Bodies and answers of every operation have an example, and it fits what it is one of."""
    made = shared("GET", "/openapi.json", key=None).json()
    for where, content in contents(made):
        schema = {**content["schema"], "components": made["components"]}
        assert content["example"] is not None, where
        faults = [fault.message for fault in validator_for(schema).iter_errors(content["example"])]
        assert faults == [], where


def test_no_word_is_left_over() -> None:
    """The file of words says nothing of names, shapes, fields and bodies that there are not."""
    made = document(OPERATIONS)
    shapes = made["components"]["schemas"]
    words = tomllib.loads((Path(docs.__file__).parent / "openapi.toml").read_text("utf-8"))
    fields = {(name, field) for name, one in shapes.items() for field in one.get("properties", {})}
    known = {field for _, field in fields} | {f"{name}.{field}" for name, field in fields}
    assert set(words["names"].values()) | set(words["schemas"]) | set(words["bodies"]) <= set(
        shapes
    )
    assert set(words["fields"]) <= known
