"""deploy/ is valid by what others published: compose-spec, Kubernetes' schemas, systemd's own checker.

check-jsonschema brings the first, kubernetes-validate the second (`make schemas` installs both).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.files import DEPLOY, KUBERNETES, PROCESSES, UNITS

pytestmark = pytest.mark.slow
EXPOSURE = 1.5
"""What `systemd-analyze security` may count, of 10: a service without any hardening has 9.6."""


def needed(program: str, *, module: str | None = None) -> None:
    """Skips, or with REFRESHER_TEST_COMPLETE fails, where a checker is missing that PyPI has."""
    if find_spec(module) if module else shutil.which(program):
        return
    sentence = f"{program} is not installed here"
    if module and os.environ.get("REFRESHER_TEST_COMPLETE"):
        pytest.fail(f"{sentence}: `make schemas`")
    pytest.skip(sentence)


def run(*words: str | Path) -> str:
    """Runs a program to its good end, and returns what it printed."""
    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_compose_is_a_compose_file() -> None:
    """By the schema that compose-spec publishes."""
    needed("check-jsonschema", module="check_jsonschema")
    schema = ("--builtin-schema", "vendor.compose-spec")
    run(sys.executable, "-m", "check_jsonschema", *schema, DEPLOY / "compose.yaml")


@pytest.fixture
def built(tmp_path: Path) -> list[dict[str, Any]]:
    """What `kubectl apply --kustomize` would send, with secrets of the example."""
    needed("kubectl")
    folder = shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    shutil.copy(KUBERNETES / "secrets.example.env", folder / "secrets.env")
    (tmp_path / "built.yaml").write_text(run("kubectl", "kustomize", folder))
    return list(yaml.safe_load_all((tmp_path / "built.yaml").read_text()))


def test_kubernetes_objects_are_those_of_its_schemas(
    built: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Strictly, so that no field is misspelt: by the schemas of a recent version, and of an old one."""
    needed("kubernetes-validate", module="kubernetes_validate")
    import kubernetes_validate  # noqa: PLC0415  it is not everywhere

    for version in ("1.28", kubernetes_validate.latest_version()):
        for one in built:
            kubernetes_validate.validate(one, version, strict=True)
    assert {one["kind"] for one in built} >= {"Deployment", "Job", "Service", "PodDisruptionBudget"}


def test_every_pod_is_narrow_and_may_stop_in_time(built: list[dict[str, Any]]) -> None:
    """Once put together, each pod has what pod.yaml says; the processes have probes and a budget."""
    pods = {one["metadata"]["name"]: one for one in built if one["kind"] in {"Deployment", "Job"}}
    assert set(pods) == {f"refresher-{name}" for name in ("migrate", *PROCESSES)}
    for name, one in pods.items():
        spec = one["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert (spec["enableServiceLinks"], spec["automountServiceAccountToken"]) == (False, False)
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["image"] == "ghcr.io/refresher/refresher:latest"
        assert container["resources"]["requests"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}
        if name != "refresher-migrate":
            probes = {"startupProbe", "livenessProbe", "readinessProbe"}
            assert {container[probe]["httpGet"]["path"] for probe in probes} == {"/health"}
            assert spec["topologySpreadConstraints"]
    budgets = {o["metadata"]["name"] for o in built if o["kind"] == "PodDisruptionBudget"}
    assert budgets == {f"refresher-{name}" for name in PROCESSES}


def test_units_are_units(tmp_path: Path) -> None:
    """By systemd's own reader, with the programs of this environment in their place."""
    needed("systemd-analyze")
    for path in [*UNITS, DEPLOY / "systemd" / "refresher.target"]:
        text = path.read_text().replace("/opt/refresher/bin", str(Path(sys.executable).parent))
        (tmp_path / path.name).write_text(text)
    units = sorted(tmp_path.glob("refresher*"))
    assert run("systemd-analyze", "verify", *units) == ""
    for one in (unit for unit in units if unit.suffix == ".service"):
        told = run("systemd-analyze", "security", "--offline=yes", one)
        found = re.search(r"exposure level for \S+: ([\d.]+)", told)
        assert found, told
        assert float(found[1]) <= EXPOSURE, told
