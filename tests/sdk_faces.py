"""The SDK for threads, made of the one for asyncio: `make client` writes it, a test compares it.

    python -m tests.sdk_faces

What differs beyond these words stands in `refresher/client/opened.py`, for both by hand.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "refresher" / "client"
SOURCE, MADE = CLIENT / "asynchronous", CLIENT / "synchronous"
HEAD = "# Made of asynchronous/{name} by `make client`: change that one.\n"
WORDS = (
    (
        '"""The client for asyncio; `make client` makes the one for threads of it."""',
        '"""The client for threads, made of `asynchronous/` by `make client`."""',
    ),
    (
        '"""`AsyncRefresher`: fresh tokens for an application, with asyncio."""',
        '"""`Refresher`: fresh tokens for an application, with threads."""',
    ),
    ("import asyncio", "import time"),
    ("asyncio.sleep", "time.sleep"),
    ("refresher.client.asynchronous", "refresher.client.synchronous"),
)
PATTERNS = (
    (r"\basync (def|for|with) ", r"\1 "),
    (r"\bawait ", ""),
    (r"(?<!`)\bAsync(?=[A-Z])", ""),
)


def synchronous(source: str, name: str) -> str:
    """Returns a module for threads, of the one for asyncio; formatted as all code is."""
    for word, other in WORDS:
        source = source.replace(word, other)
    for pattern, other in PATTERNS:
        source = re.sub(pattern, other, source)
    return formatted(HEAD.format(name=name) + source)


def formatted(code: str) -> str:
    """Returns code in the form that `make lint` asks for."""
    ruff = (sys.executable, "-m", "ruff")
    sorted_ = (
        "check",
        "--quiet",
        "--fix",
        "--select",
        "I",
        "--stdin-filename",
        "refresher/x.py",
        "-",
    )
    for step in (sorted_, ("format", "--quiet", "-")):
        ran = subprocess.run(
            [*ruff, *step],
            input=code,
            capture_output=True,
            text=True,
            check=True,
            cwd=CLIENT.parent.parent,
        )
        code = ran.stdout
    return code


def modules() -> dict[str, str]:
    """Returns the modules for threads, by the name of their file."""
    return {
        path.name: synchronous(path.read_text(encoding="utf-8"), path.name)
        for path in sorted(SOURCE.glob("*.py"))
    }


def main() -> None:
    """Writes them."""
    for name, code in modules().items():
        (MADE / name).write_text(code, encoding="utf-8")


if __name__ == "__main__":
    main()
