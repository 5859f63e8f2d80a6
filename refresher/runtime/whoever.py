"""Who runs this process."""

from __future__ import annotations

import getpass
import os

from refresher.rules.access import Actor, somebody


def whoever(program: str) -> Actor:
    """Returns who runs this process, as the audit names them: `cli:ann`, also behind sudo."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = f"uid{os.getuid()}"
    return somebody(program, (user == "root" and os.environ.get("SUDO_USER")) or user)
