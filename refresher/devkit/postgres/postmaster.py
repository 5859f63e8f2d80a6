"""What a server wrote about itself into `postmaster.pid`, and whether that is still so.

A process number in a file proves nothing: after a crash or a reboot it may be somebody else's. So a
server is asked (does its socket answer?), and a number counts only with the folder it works in.
Next: cluster.py, which starts and stops servers on what is found here.
"""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PID_FILE = "postmaster.pid"
SOCKET_FOLDER_PREFIX = "refresher-pg-"


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The server that last began to run on `data`; its later lines are empty while it starts."""

    data: Path
    pid: int
    port: str
    socket_folder: str
    status: str

    @property
    def answers(self) -> bool:
        """Whether something listens on its socket; a dead server's socket refuses."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            try:
                probe.connect(self._socket)
            except OSError:
                return False
        return True

    @property
    def lives(self) -> bool:
        """Whether its process is there and works in `data`, though it may not answer yet."""
        if sys.platform != "linux":
            return self._is_called_postgres()
        try:
            return Path(f"/proc/{self.pid}/cwd").readlink() == self.data
        except OSError:
            return False

    def disown(self) -> None:
        """Clears away what a dead server left: its socket, and its claim on the data.

        PostgreSQL refuses to start while a process with the number in the file lives, except for
        the one that starts it: so our own number goes there. Removing the file instead would also
        remove PostgreSQL's check for surviving processes of the dead server.
        """
        for suffix in ("", ".lock"):
            Path(f"{self._socket}{suffix}").unlink(missing_ok=True)
        self.forget_socket_folder()
        path = self.data / PID_FILE
        _, _, rest = path.read_text().partition("\n")
        path.write_text(f"{os.getpid()}\n{rest}")

    def forget_socket_folder(self) -> None:
        """Removes the folder made for the socket alone, if there was one."""
        folder = Path(self.socket_folder)
        if folder.name.startswith(SOCKET_FOLDER_PREFIX):
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def _socket(self) -> str:
        return f"{self.socket_folder}/.s.PGSQL.{self.port}"

    def _is_called_postgres(self) -> bool:
        """Where no folder can be asked for, the name has to do."""
        command = ["ps", "-o", "comm=", "-p", str(self.pid)]
        found = subprocess.run(  # noqa: S603  fixed words and a number
            command, capture_output=True, text=True, check=False
        )
        return "postgres" in found.stdout


def read(data: Path) -> Postmaster | None:
    """Returns what stands in the file under `data`; `None` when the last server stopped cleanly."""
    try:
        lines = (data / PID_FILE).read_text().splitlines()
    except FileNotFoundError:
        return None
    if not lines or not lines[0].isdigit():
        return None
    # pid, data, start time, port, socket folder, TCP host, shared memory, status
    lines += [""] * (8 - len(lines))
    return Postmaster(data, int(lines[0]), lines[3], lines[4], lines[7].strip())
