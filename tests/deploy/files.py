"""Reads the files of deploy/ as the programs read them that they are for."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PROCESSES = ("scheduler", "worker", "web")


@cache
def compose() -> dict[str, Any]:
    """The compose file."""
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return read


def services() -> dict[str, dict[str, Any]]:
    """Our services of the compose file: the migration and the processes."""
    ours = {"migrate", *PROCESSES}
    return {name: one for name, one in compose()["services"].items() if name in ours}


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """Returns a value of the compose file with `${NAME:-default}` and `${NAME:?sentence}` filled in."""

    def filled(found: re.Match[str]) -> str:
        name, how, rest = found.groups()
        if value := variables.get(name):
            return value
        assert how == ":-", f"{name} {rest}"
        return rest

    return re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", filled, text)


def variables_in(path: Path) -> dict[str, str]:
    """The variables of a file of lines NAME=value."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def image_variables() -> dict[str, str]:
    """What the Dockerfile's ENV says."""
    text = (ROOT / "Dockerfile").read_text().rpartition("FROM ")[2].replace("\\\n", " ")
    lines = [line.removeprefix("ENV ") for line in text.splitlines() if line.startswith("ENV ")]
    return dict(word.split("=", 1) for line in lines for word in shlex.split(line))


def objects() -> list[dict[str, Any]]:
    """The documents of the Kubernetes folder, before they are put together."""
    return [
        one
        for path in sorted(KUBERNETES.glob("*.yaml"))
        for one in yaml.safe_load_all(path.read_text())
    ]


def unit(path: Path) -> dict[str, list[str]]:
    """A unit's lines by key, in order."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, is_one, value = line.partition("=")
        if is_one and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@dataclass(frozen=True)
class Described:
    """A process as one of the ways starts it; `environment` is what a person need not fill in."""

    command: list[str]
    environment: dict[str, str]


def described(way: str, name: str) -> Described:
    """What compose, Kubernetes or systemd start as `name`."""
    if way == "compose":
        one = services()[name]
        return Described(one["command"], image_variables() | one["environment"])
    if way == "kubernetes":
        named = [one for one in objects() if "template" in one.get("spec", ())]
        (pod,) = (one for one in named if one["metadata"]["name"] == f"refresher-{name}")
        (container,) = pod["spec"]["template"]["spec"]["containers"]
        settings = variables_in(KUBERNETES / "settings.env")
        return Described(container["command"], image_variables() | settings)
    lines = unit(DEPLOY / "systemd" / f"refresher-{name}.service")
    words = [word for line in lines["Environment"] for word in shlex.split(line)]
    program, *rest = shlex.split(lines["ExecStart"][0])
    own = dict(word.split("=", 1) for word in words)
    filled = variables_in(DEPLOY / "systemd" / "env.example")
    return Described([Path(program).name, *rest], own | filled)


def commands() -> list[tuple[str, list[str]]]:
    """Every command that starts something of ours, with where it stands."""
    found = [(f"compose {name}", one["command"]) for name, one in services().items()]
    for one in objects():
        pod = one.get("spec", {}).get("template", {}).get("spec", {})
        found += [
            (f"kubernetes {one['metadata']['name']}", container["command"])
            for container in pod.get("containers", ())
            if "command" in container
        ]
    found += [(path.name, shlex.split(unit(path)["ExecStart"][0])) for path in UNITS]
    railway = (ROOT / "railway.toml").read_text()
    found += [
        ("railway", one.split()) for one in tomllib.loads(railway)["deploy"]["preDeployCommand"]
    ]
    found += [
        ("railway", one.split())
        for one in re.findall(r"^#   \w+ +(python .*)$", railway, re.MULTILINE)
    ]
    return found
