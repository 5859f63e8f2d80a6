"""Style sheet, script and icon: addresses with a hash of what is in them, kept for a year."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.responses import Response

KINDS = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
KEPT = "public, max-age=31536000, immutable"
ROOT = "/ui/static/"


@cache
def contents() -> dict[str, bytes]:
    """Returns every file by its name."""
    folder = files("refresher.web.dashboard") / "static"
    named = [one for one in folder.iterdir() if one.name.rpartition(".")[2] in KINDS]
    return {one.name: one.read_bytes() for one in named}


@cache
def address(name: str) -> str:
    """Returns the address of a file as it is now; raises `KeyError` for none."""
    digest = sha256(contents()[name]).hexdigest()[:16]
    return f"{ROOT}{digest}/{name}"


def answer(path: str) -> Response | None:
    """Returns the file at an address; None where there is none, or no longer."""
    name = path.rpartition("/")[2]
    if name not in contents() or address(name) != path:
        return None
    kind = KINDS[name.rpartition(".")[2]]
    return Response(contents()[name], 200, {"cache-control": KEPT, "content-type": kind})
