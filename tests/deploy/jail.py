"""A room like a container's, of what Linux itself has: a mount namespace, and a user who is nobody.

Everything is read-only but /tmp, which is empty, and the data folder; the command runs without any
capability, with `no_new_privs`. Needs root, and `unshare` and `setpriv` of util-linux.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.deploy.files import ROOT

USER = 10001
CONFIG, DATA, CREDENTIALS = "/etc/refresher", "/var/lib/refresher", "/run/credentials"
"""Where the files of deploy/ have them; in the room, below /mnt."""
SLOTS = ("/media", "/srv", "/opt")
NOT_READ_ONLY = 97


def why_not() -> str | None:
    """Returns why no room can be made here, None where it can."""
    if os.geteuid() != 0:
        return "a room with a user who is nobody can only be made by root"
    missing = [name for name in ("unshare", "setpriv") if not shutil.which(name)]
    if missing:
        return f"{missing[0]} is not installed here"
    tried = subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True)
    return None if tried.returncode == 0 else "no mount namespace can be made here"


def furnish(folder: Path, providers: str, key: str) -> None:
    """Makes the folder that is seen at /mnt: the providers file, the key, the volume for the data."""
    for name in (CONFIG, DATA, CREDENTIALS):
        (folder / name[1:]).mkdir(parents=True)
    keys = folder / CREDENTIALS[1:] / "encryption-keys"
    keys.write_text(f"{key}\n")
    keys.chmod(0o400)
    os.chown(keys, USER, USER)
    (folder / CONFIG[1:] / "providers.toml").write_text(providers)
    data = folder / DATA[1:]
    os.chown(data, USER, USER)
    data.chmod(0o700)


def inside(value: str) -> str:
    """Returns a setting's value with our paths as they are in the room."""
    value = value.replace("%d/", f"{CREDENTIALS}/")  # systemd's name for it
    return f"/mnt{value}" if value.startswith((CONFIG, DATA, CREDENTIALS)) else value


def start(
    folder: Path, log: Path, command: Sequence[str], env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Runs a command in the room; a signal reaches it, since every step becomes the next."""
    narrow = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"]
    narrow += ["--bounding-set=-all", "--inh-caps=-all", "--"]
    words = ["unshare", "--mount", "--propagation=private", "sh", "-euc", _script(folder)]
    with log.open("wb") as output:
        return subprocess.Popen(
            [*words, "room", *narrow, *command],
            env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **env},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _script(folder: Path) -> str:
    """The steps as a shell's: bind what is needed, hide what is not, write-protect, become nobody."""
    kept = list(dict.fromkeys((ROOT, Path(sys.prefix), Path(sys.base_prefix))))
    hidden = dict.fromkeys(["/tmp", *filter(None, map(_blocked, kept))])
    carried = [
        (slot, path)
        for slot, path in zip(SLOTS, kept, strict=True)
        if any(path.is_relative_to(cover) for cover in hidden)
    ]
    data = f"/mnt{DATA}"
    steps = [f"mount --bind {_q(folder)} /mnt"]
    steps += [f"mount --bind {_q(folder)}{DATA} {data}"]
    steps += [f"mount --bind {_q(path)} {slot}" for slot, path in carried]
    steps += [f"mount -t tmpfs -o mode={_mode(cover)} none {cover}" for cover in hidden]
    for slot, path in carried:
        steps += [f"mkdir -p {_q(path)}", f"mount --bind {slot} {_q(path)}"]
    steps += [f"mount -o remount,bind,ro {_q(place)}" for place in _mounts(kept, carried)]
    steps += [f"! touch {_q(place)}/.x 2>/dev/null || exit {NOT_READ_ONLY}" for place in kept]
    return "\n".join([*steps, 'exec "$@"'])


def _mounts(kept: list[Path], carried: list[tuple[str, Path]]) -> list[str]:
    """What is to be read-only: where the code lies, as it is mounted."""
    places = {str(path) for _, path in carried} | {"/", "/mnt"}
    for path in kept:
        while not path.is_mount():
            path = path.parent  # noqa: PLW2901
        places.add(str(path))
    return sorted(places)


def _blocked(path: Path) -> str | None:
    """The first folder on the way to a path that a stranger may not enter."""
    ways = [parent for parent in reversed(path.parents) if not parent.stat().st_mode & 0o001]
    return str(ways[0]) if ways else None


def _mode(cover: str) -> str:
    return "1777" if cover == "/tmp" else "755"


def _q(path: Path | str) -> str:
    return shlex.quote(str(path))
