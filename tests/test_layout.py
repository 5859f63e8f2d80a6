"""The house rules that a linter does not know: size, purity, promises, no trace of a machine."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "refresher"
TESTS = ROOT / "tests"
FILE_LIMIT, FUNCTION_LIMIT = 300, 40
IMPURE_CALLS = {
    *("now", "utcnow", "today", "time", "monotonic", "perf_counter", "sleep"),
    *("random", "uniform", "randint", "choice", "urandom", "token_hex", "uuid4", "uuid7"),
    *("getenv", "open", "read_text", "read_bytes", "write_text", "print", "input"),
}
IMPURE_MODULES = {"asyncio", "io", "logging", "os", "random", "secrets", "socket", "subprocess"}
IMPURE_MODULES |= {"sys", "tempfile", "threading", "time", "urllib.request"}
# A folder of one machine: it means nothing to anybody else. This file itself holds none either.
MACHINE_PATH = re.compile(r"(?<![\w.$}/])/(?:work|root|home|Users)/\w|/tmp/[w]/")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(*folders: Path) -> list[Path]:
    """Every Python file under `folders`."""
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """What a file holds; each is read once for all that is asked of it."""
    return ast.parse(path.read_text())


@cache
def functions(path: Path) -> list[Function]:
    """Every function and method of a file, nested ones too."""
    nodes = ast.walk(parsed(path))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def imported(tree: ast.AST) -> Iterator[str]:
    """The name of every module that is imported anywhere below `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module
            yield from (f"{module}.{name.name}" for name in node.names)


def own_files() -> list[Path]:
    """Every file that is, or is about to be, in the repository; without git, those we know of."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    names = [name for name in listed.stdout.decode().split("\0") if name]
    known = [*ROOT.glob("*"), *python_files(PACKAGE, TESTS, ROOT / "migrations")]
    paths = [ROOT / name for name in names] or known
    return [path for path in paths if path.is_file()]


def where(path: Path, node: ast.stmt | ast.expr) -> str:
    """A place, in the form that editors open."""
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def test_files_stay_small():
    """No Python file grows past 300 lines."""
    files = python_files(PACKAGE, TESTS, ROOT / "migrations")
    sizes = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in files}
    assert sizes
    assert {path: size for path, size in sizes.items() if size > FILE_LIMIT} == {}


def test_functions_stay_small():
    """No function grows past 40 lines."""
    too_long = [
        f"{where(path, node)} {node.name}"
        for path in python_files(PACKAGE, TESTS)
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno >= FUNCTION_LIMIT
    ]
    assert too_long == []


def test_rules_take_time_and_chance_as_arguments():
    """Nothing under rules/ reads a clock, rolls dice, sleeps, or touches a file or the network."""
    impure = [
        f"{where(path, node)} calls {name}()"
        for path in python_files(PACKAGE / "rules")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and (name := getattr(node.func, "attr", getattr(node.func, "id", ""))) in IMPURE_CALLS
    ]
    assert impure == []


def test_rules_import_nothing_that_acts():
    """Nothing under rules/ imports a module that could do what its functions must not."""
    found = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in python_files(PACKAGE / "rules")
        for module in imported(parsed(path))
        if module in IMPURE_MODULES
    ]
    assert found == []


def test_production_never_loads_the_testing_kit():
    """Only the command line's demo imports `refresher.testing`, and only inside its function."""
    offenders = []
    for path in python_files(PACKAGE):
        if (PACKAGE / "testing") in path.parents or path == PACKAGE / "testing.py":
            continue
        tree = parsed(path)
        for body in tree.body:
            inside = isinstance(body, Function | ast.ClassDef)
            if not (inside and path.relative_to(PACKAGE).parts[0].startswith(("cli", "devkit"))):
                offenders += [path for name in imported(body) if is_testing(name)]
    assert offenders == []


def is_testing(module: str) -> bool:
    """Whether `module` is, or is part of, `refresher.testing`."""
    return module == "refresher.testing" or module.startswith("refresher.testing.")


def test_every_test_states_its_promise():
    """Each test has a docstring of one sentence or more."""
    silent = [
        f"{where(path, node)} {node.name}"
        for path in python_files(TESTS)
        if path.name.startswith("test_")
        for node in functions(path)
        if node.name.startswith("test_") and not (ast.get_docstring(node) or "").endswith(".")
    ]
    assert silent == []


def test_every_module_says_what_lives_in_it():
    """Each module of the package begins with a docstring."""
    silent = [p for p in python_files(PACKAGE) if not ast.get_docstring(parsed(p))]
    assert silent == []


def test_no_file_knows_a_machine():
    """No file of the repository names a folder of the machine that it was written on."""
    found = []
    for path in own_files():
        text = path.read_bytes().decode(errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {m[0]}" for m in MACHINE_PATH.finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[(f"/{folder}/ann/refresher", True) for folder in ("work", "root", "home", "Users")],
        *[(f"cd /{folder}/there", True) for folder in ("work", "home", "tmp/w")],
        ("$HOME/refresher", False),
        ("https://example.com/home/page", False),
        ("the work/home balance", False),
    ],
)
def test_a_machine_path_is_told_from_prose(text, expected):
    """The pattern finds folders of a machine, and neither URLs nor prose."""
    assert bool(MACHINE_PATH.search(text)) is expected
