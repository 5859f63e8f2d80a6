"""Every name in deploy/ is one of ours, every process may stop in time, and no secret stands there."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest
from dramatiq.cli import make_argument_parser

from refresher.cli.app import COMMANDS
from refresher.settings import Flow, Settings, variable
from refresher.settings.names import flows
from tests.deploy.files import (
    DEPLOY,
    KUBERNETES,
    PROCESSES,
    UNITS,
    commands,
    compose,
    image_variables,
    objects,
    services,
    unit,
    variables_in,
)

GRACE_SECONDS = 40
SECRETS = {"POSTGRES_PASSWORD", "REFRESHER_ENCRYPTION_KEYS", "REFRESHER_STATUS_TOKEN"}


def test_every_variable_is_a_setting() -> None:
    """A name that begins with REFRESHER_ and is none would stop the start."""
    parts = [f"{flow}.{n}" for flow in flows(Settings.model_fields) for n in Flow.model_fields]
    known = {variable(name) for name in [*Settings.model_fields, *parts]}
    named: set[str] = set(image_variables())
    for path in (path for path in DEPLOY.rglob("*") if path.is_file()):
        text = "\n".join(line.partition("#")[0] for line in path.read_text().splitlines())
        named |= set(re.findall(r"\b(?<!\$\{)REFRESHER_\w+", text))
    assert {name for name in named if name.startswith("REFRESHER_")} - known == set()


@pytest.mark.parametrize(("where", "words"), commands(), ids=[where for where, _ in commands()])
def test_every_command_is_one(where: str, words: list[str]) -> None:
    """A process by its module, a command by its name; the worker's arguments are Dramatiq's."""
    program, *rest = words
    if program.endswith("refresher"):
        assert " ".join(rest) in COMMANDS, where
        return
    assert program.rpartition("/")[2] == "python", where
    assert rest[0] == "-m"
    assert find_spec(rest[1]), where
    if rest[1] == "refresher.worker":
        make_argument_parser().parse_args(["refresher.actors", *rest[2:]])
    else:
        assert rest[2:] == []


def test_all_ways_start_the_same_processes() -> None:
    """What compose starts, Kubernetes, systemd and Railway start as well."""
    words: dict[str, list[list[str]]] = {}
    for where, command in commands():
        words.setdefault(re.split(r"[ .-]", where)[0], []).append(
            [command[0].rpartition("/")[2], *command[1:]]
        )
    assert len(words) == 4
    first, *others = (sorted(found) for found in words.values())
    assert others == [first] * 3


def test_compose_gives_every_process_the_same_narrow_room() -> None:
    """Not root, nothing to write but /tmp and the data, no capability; and time to stop."""
    assert Settings.model_fields["shutdown_seconds"].default < GRACE_SECONDS
    for name, one in services().items():
        assert one["user"] == "10001"
        assert one["read_only"] is True
        assert one["tmpfs"] == ["/tmp"]
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert one["stop_grace_period"] == f"{GRACE_SECONDS}s"
        assert one["volumes"] == ["data:/var/lib/refresher"]
        wanted = {"postgres": "service_healthy"}
        if name != "migrate":
            wanted |= {"redis": "service_healthy", "migrate": "service_completed_successfully"}
        assert {n: each["condition"] for n, each in one["depends_on"].items()} == wanted
    for name in (*PROCESSES, "postgres", "redis"):
        assert compose()["services"][name]["healthcheck"]["test"][0] == "CMD"


def test_kubernetes_pods_see_no_variables_of_services() -> None:
    """Kubernetes would make REFRESHER_WEB_PORT of a Service: no setting, so it stops the start."""
    (pod,) = [one for one in objects() if "enableServiceLinks" in str(one)]
    spec = pod["spec"]["template"]["spec"]
    assert spec["enableServiceLinks"] is False
    assert spec["terminationGracePeriodSeconds"] == GRACE_SECONDS
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_units_are_all_hardened_alike() -> None:
    """What stands from the comment on is the same in each; each process has a port of its own."""
    hardening = {
        re.split(
            r"\n\n(?:\[|$)", path.read_text().partition("# What it may do")[2].rstrip() + "\n\n"
        )[0]
        for path in UNITS
    }
    assert len(UNITS) == 4
    assert len(hardening) == 1
    assert "NoNewPrivileges=yes" in hardening.pop()
    processes = [unit(path) for path in UNITS if "migrate" not in path.name]
    assert len({one["Environment"][0] for one in processes}) == len(processes) == 3
    assert {one["TimeoutStopSec"][0] for one in processes} == {str(GRACE_SECONDS)}


def test_no_secret_stands_in_the_repository() -> None:
    """Examples name them, and leave them to the person; compose takes them from .env."""
    examples = [DEPLOY / "env.example", KUBERNETES / "secrets.example.env"]
    examples.append(DEPLOY / "systemd" / "env.example")
    for path in examples:
        given = variables_in(path)
        assert {name for name in SECRETS & set(given) if given[name]} == set(), path
    assert not (DEPLOY / ".env").exists()
    assert not (KUBERNETES / "secrets.env").exists()
