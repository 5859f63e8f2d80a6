"""What is published is what there is: contents, version, types of today's API, examples that run."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest

from refresher import __version__
from refresher.devkit.oauth_server import FakeProvider
from tests.processes import Spawner
from tests.typescript.kit import CLIENT, ROOT, deployment, needs_npm, run

PAGE = (ROOT / "docs" / "typescript.md").read_text(encoding="utf-8")
README = (CLIENT / "README.md").read_text(encoding="utf-8")
PACKAGE = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))
RULES = {
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "module": "NodeNext",
    "target": "ES2022",
    "lib": ["ES2022"],
    "types": ["node"],
    "typeRoots": [str(CLIENT / "node_modules" / "@types")],
}
"""A user's own: strict, and Node.js without the types of a browser."""
AFTER = """
const secret = "whsec_bm90IG91cnM=";
process.env["WEBHOOK_SECRET"] = secret;
const at = `http://localhost:${(app.address() as { port: number }).port}`;
const begun = await fetch(`${at}/connect`, { redirect: "manual" });
const cookie = begun.headers.get("set-cookie")!.split(";")[0]!;
const back = `${at}/connected?connect_code=no`;
console.log(begun.status, begun.headers.get("location")!.includes("/connect/"));
console.log(await (await fetch(`${at}/connected`, { headers: { cookie } })).text());
console.log((await fetch(`${at}/hooks`, { method: "POST", body: "{}" })).status);
app.close();
app.closeAllConnections();
"""


def test_the_version_is_that_of_refresher() -> None:
    """Package, lock and `User-Agent` name one version; no line of the lock names a registry."""
    lock = (CLIENT / "package-lock.json").read_text(encoding="utf-8")
    assert PACKAGE["version"] == json.loads(lock)["version"] == __version__
    source = (CLIENT / "src" / "transport.ts").read_text(encoding="utf-8")
    assert f'VERSION = "{__version__}"' in source
    assert "resolved" not in lock
    assert "dependencies" not in PACKAGE
    assert f"client-{__version__}.tgz" in PAGE


@pytest.mark.slow
@needs_npm
def test_the_types_are_of_todays_document(tmp_path: Path) -> None:
    """`npm run types` would change nothing; the document that it reads is a golden copy."""
    fresh = tmp_path / "api.ts"
    command = PACKAGE["scripts"]["types"].replace("src/api.ts", str(fresh))
    run("npx", "--no-install", *command.split())
    assert fresh.read_text(encoding="utf-8") == (CLIENT / "src" / "api.ts").read_text("utf-8")


@pytest.mark.slow
@needs_npm
def test_the_package_is_whole_and_its_examples_run(
    spawn: Spawner, database_url: str, tmp_path: Path
) -> None:
    """Packed, unpacked in a project that has no types of a browser, compiled strictly, and run."""
    # Given
    installed = tmp_path / "node_modules" / "@refresher" / "client"
    names = packed(tmp_path, installed)
    assert names == {
        *("package.json", "README.md", "LICENSE"),
        *(f"dist/{path.stem}{end}" for path in CLIENT.glob("src/*.ts") for end in (".js", ".d.ts")),
    }
    assert (installed / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    (tmp_path / "package.json").write_text('{"type": "module"}')
    rules = {"compilerOptions": RULES, "files": ["page.ts", "readme.ts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(rules))
    with FakeProvider() as provider:
        env = deployment(spawn, provider, database_url, tmp_path)
        (tmp_path / "page.ts").write_text(program(PAGE, provider) + AFTER, encoding="utf-8")
        (tmp_path / "readme.ts").write_text(program(README, provider), encoding="utf-8")
        # When
        run(str(CLIENT / "node_modules" / ".bin" / "tsc"), "--project", str(tmp_path))
        printed = run("node", "page.js", cwd=tmp_path, env={**env, "PORT": "0"})
    # Then
    assert "Secret(***)" in printed
    assert "no_such_connection" not in printed
    assert printed.endswith("303 true\nNot connected: please begin again.\n400\n"), printed


def packed(folder: Path, installed: Path) -> set[str]:
    """Packs the client, unpacks it where a project has it, and returns the names of its files."""
    (told,) = json.loads(
        run("npm", "pack", "--silent", "--json", "--pack-destination", str(folder))
    )
    with tarfile.open(folder / told["filename"]) as archive:
        archive.extractall(folder, filter="data")
    installed.parent.mkdir(parents=True)
    (folder / "package").rename(installed)
    return {file["path"] for file in told["files"]}


def program(page: str, provider: FakeProvider) -> str:
    """Returns the examples of a page as one program; hosts and names are those of the tests."""
    grant = provider.admin.create_grants(1)[0]
    answer = {
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "expires_in": 3600,
    }
    code = "".join(re.findall(r"```typescript\n(.*?)```", page, re.DOTALL))
    for old, new in {
        "https://www.googleapis.com/oauth2/v3/userinfo": f"{provider.url}/resource",
        "https://app.example/hooks": f"{provider.url}/elsewhere",
        '"org-1"': '"org"',
    }.items():
        code = code.replace(old, new)
    return f"const answer = {json.dumps(answer)};\n{code}"
