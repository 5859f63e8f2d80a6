"""docs/monitoring: each metric, and each expression of dashboard and alerts, against a scrape."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from refresher.refresh.recovery import sweep_stalled
from refresher.rules.faults import Sort
from refresher.rules.outcomes import Reply
from refresher.runtime.liveness import Watch
from tests.runtime.metrics.kit import Scrape, open_meter, scrape
from tests.world import World

DOCS = Path(__file__).parents[3] / "docs"
ALERTS = yaml.safe_load((DOCS / "monitoring/alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((DOCS / "monitoring/grafana.json").read_text())
TABLE = re.findall(
    r"^\| `(refresher_\w+)` \| (\w+) \| (.*?) \|",
    (DOCS / "monitoring.md").read_text(),
    re.MULTILINE,
)
ANCHORS = {
    "overdue", "breaker-open", "parked-rising", "tokens-expired", "outbox-ageing",
    "no-live-worker", "tick-age", "job-failing", "pairs-spooled", "provider-change",
}  # fmt: skip
NOT_HERE = {"refresher_redis_spooled_pairs"}
"""Exported only where there is a Redis, which this world has not: see test_processes.py."""


@pytest.fixture(scope="module")
def seen(module_database_url: str) -> Iterator[Scrape]:
    """A scrape after something of everything has happened."""
    world = World(module_database_url)
    yield _after_everything(world)
    world.close()


def _after_everything(world: World) -> Scrape:
    open_meter(world)
    world.connect("c1", expires_in=0)
    world.tick()
    world.script.answer = lambda _request: Reply(429, {"retry-after": "5"})
    world.connect("c2", expires_in=0)
    world.tick()
    sweep_stalled(world.services, Watch())
    world.services.meter.ticked("tick", 0.01)
    world.services.meter.tick_failed("tick")
    world.hold("provider", "acme", sort="silent", seconds=30, reason="status 503")
    world.services.meter.paused("acme", Sort.LIMITED)
    world.services.meter.consented("acme", "connected")
    return scrape(world)


def expressions() -> list[str]:
    """Every expression of the dashboard and of the alerts."""
    shown = [t["expr"] for panel in DASHBOARD["panels"] for t in panel["targets"]]
    return [e.replace("$__rate_interval", "5m") for e in shown] + [a["expr"] for a in ALERTS]


def selectors(node: Any) -> list[Any]:
    """Returns every selector in a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        return [node]
    below = ("lhs", "rhs", "expr", "args", "vector_selector", "param")
    found = [getattr(node, name, None) for name in below]
    flat = [item for part in found for item in (part if isinstance(part, list) else [part])]
    return [s for item in flat if item is not None for s in selectors(item)]


def grouped_by(expression: str) -> set[str]:
    """Returns the labels that an expression groups by."""
    lists: list[str] = re.findall(r"by \(([\w, ]+)\)", expression)
    return {label.strip() for found in lists for label in found.split(",")}


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_names_what_a_scrape_has(expression: str, seen: Scrape) -> None:
    """Each parses as PromQL, and each metric and label in it is exported."""
    names = seen.names()
    found = selectors(promql_parser.parse(expression))
    assert found
    for selector in found:
        if selector.name in NOT_HERE:
            continue
        assert selector.name in names, f"{selector.name} is not exported"
        for matcher in selector.matchers.matchers:
            assert matcher.name in names[selector.name]
        assert grouped_by(expression) <= {
            x for s in found if s.name in names for x in names[s.name]
        }


def test_the_table_is_what_is_exported(seen: Scrape) -> None:
    """docs/monitoring.md has every metric with its type and labels, and no other."""
    documented = {
        name.removesuffix("_total"): (type_, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, type_, labels in TABLE
        if name not in NOT_HERE
    }
    exported = {}
    for name, type_ in seen.types.items():
        if name.startswith("refresher_"):
            labels = {
                label
                for sample, found in seen.names().items()
                if re.fullmatch(rf"{name}(_total|_bucket|_sum|_count)?", sample)
                for label in found
            }
            exported[name] = (type_, frozenset(labels - {"le"}))
    assert exported == documented


def test_every_alert_leads_to_the_runbook() -> None:
    """Each alert has a section of the runbook, a severity and a sentence; the table names them all."""
    text = (DOCS / "monitoring.md").read_text()
    anchors = {alert["annotations"]["runbook_url"].partition("#")[2] for alert in ALERTS}
    assert anchors == ANCHORS
    headings = re.findall(r"^#+ (.+)$", (DOCS / "runbook.md").read_text(), re.MULTILINE)
    sections = {heading.lower().replace(" ", "-") for heading in headings}
    assert anchors | set(re.findall(r"runbook\.md#([\w-]+)", text)) <= sections
    for alert in ALERTS:
        assert alert["labels"]["severity"] in {"page", "warn"}
        assert alert["annotations"]["summary"].endswith(".")
        assert f"| {alert['alert']} |" in text


def test_the_dashboard_shows_every_metric_or_an_alert_does() -> None:
    """No metric is exported that nobody looks at."""
    text = " ".join(expressions())
    unseen = {n for n, _, _ in TABLE if n not in text}
    assert unseen == set()


def test_panels_do_not_overlap() -> None:
    """Each panel has its own place in the grid of 24 columns."""
    places: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & places
        assert max(x for x, _ in cells) < 24
        places |= cells
