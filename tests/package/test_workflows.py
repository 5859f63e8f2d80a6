"""CI and release: valid workflows, that need no stored secret, and name what exists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.package.kit import ROOT, bare, needs_tools, run

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
SCRIPTS = [ROOT / ".ci" / "run", ROOT / ".github" / "sbom"]


def jobs(name: str) -> dict[str, dict[str, Any]]:
    """Returns the jobs of a workflow."""
    return dict(yaml.safe_load((FOLDER / name).read_text())["jobs"])


@pytest.mark.slow
@needs_tools
def test_their_form_is_right(tmp_path: Path) -> None:
    """The schema that SchemaStore publishes takes the workflows, and hadolint the Dockerfile."""
    check = (
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
    )
    run(*check, *WORKFLOWS, env=bare(), folder=tmp_path)
    hadolint = Path(sys.executable).with_name("hadolint")
    assert run(hadolint, ROOT / "Dockerfile", env=bare(), folder=tmp_path).stdout == ""
    for script in SCRIPTS:
        subprocess.run(["bash", "-n", script], check=True)


def test_nothing_is_published_before_the_tests_have_passed() -> None:
    """Each job that hands something to others waits for all of CI, and for what was built."""
    release = jobs("release.yml")
    assert release["test"]["uses"] == "./.github/workflows/ci.yml"
    for name in ("pypi", "image", "npm"):
        assert {"test", "build"} == {*release[name]["needs"]}
    assert {"pypi", "image", "npm"} <= {*release["github"]["needs"]}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_workflow_keeps_a_secret(path: Path) -> None:
    """Who publishes is shown by the run's own identity; every action has a version."""
    text = path.read_text()
    assert set(re.findall(r"secrets\.(\w+)", text)) <= {"GITHUB_TOKEN"}
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    used = [one for one in re.findall(r"uses: (\S+)", text) if not one.startswith("./")]
    assert [one for one in used if not re.search(r"@v\d+(\.\d+)*$", one)] == []


@pytest.mark.parametrize("path", [*WORKFLOWS, SCRIPTS[0]], ids=lambda path: path.name)
def test_every_target_that_is_run_exists(path: Path) -> None:
    """`make` of a workflow or of .ci/run names targets of the Makefile, and files that are there."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = re.findall(r"^\s*(?:- run: )?make (.*)", path.read_text(), re.MULTILINE)
    named = {word for line in lines for word in re.split(r" &&| [A-Z]+=", line)[0].split()}
    assert {word for word in named if "/" not in word} <= targets
    for name in re.findall(r"@(tests/\S+\.txt)", path.read_text()):
        files = (ROOT / name).read_text().split()
        assert [file for file in files if not (ROOT / file).exists()] == []


def test_npm_learns_where_the_client_is_made() -> None:
    """Provenance is refused where the package does not name the repository that publishes it."""
    folder = "clients/typescript"
    assert jobs("release.yml")["npm"]["defaults"]["run"]["working-directory"] == folder
    told = json.loads((ROOT / folder / "package.json").read_text())["repository"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert told["url"] == f"git+{project['urls']['Source']}.git"
    assert told["directory"] == folder


def test_the_matrix_is_what_the_documents_say() -> None:
    """Python and PostgreSQL in CI are those of docs/versions.md, from the first to the last."""
    page = (ROOT / "docs" / "versions.md").read_text()
    spans = {
        "Python": jobs("ci.yml")["check"]["strategy"]["matrix"]["python"],
        "PostgreSQL": jobs("ci.yml")["postgres"]["strategy"]["matrix"]["version"],
    }
    for name, versions in spans.items():
        assert f"| {name} | {versions[0]} to {versions[-1]} |" in page
