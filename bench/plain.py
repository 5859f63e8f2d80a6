"""A plain `pip install` of the wheel of this checkout: an environment apart, without any extra.

`python -m bench` runs `bench.refreshes` with it, from a folder in which there is `bench/` and no
`refresher/`, so that what is measured is what was installed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED = "psutil"
"""What measures needs this, and refresher does not."""


def install(folder: Path) -> Path:
    """Makes that environment in `folder` and returns its Python; raises `CalledProcessError`."""
    python = python_of(folder)
    _quietly(sys.executable, "-m", "venv", str(folder / "environment"))
    pip = (str(python), "-m", "pip", "--disable-pip-version-check")
    versions = ("-c", str(ROOT / "constraints.txt"))
    _quietly(*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("refresher-*.whl")
    _quietly(*pip, "install", *versions, str(wheel), NEEDED)
    (folder / "bench").symlink_to(ROOT / "bench")
    return python


def python_of(folder: Path) -> Path:
    """Returns the Python of the environment that is there."""
    return folder / "environment" / "bin" / "python"


def _quietly(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
