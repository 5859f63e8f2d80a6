"""A real RabbitMQ for tests: Debian's package, as a node of its own, with a name, ports and files.

It needs no root and no service. A test that stops it, kills it or empties it starts it again, on the
port that it had.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import pika
from pika.exceptions import AMQPError

from tests.guard import Guard
from tests.ports import LOOPBACK, free_port
from tests.waiting import wait_until

DEBIANS = Path("/usr/lib/rabbitmq/bin")
"""Where Debian keeps the scripts that ask for no certain user; those in PATH do."""
# One scheduler that sleeps when it is idle: other tests share the machine.
ERLANG = "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
CONFIGURATION = """\
listeners.tcp.default = {host}:{port}
distribution.listener.interface = {host}
default_user = {user}
default_pass = {password}
loopback_users = none
management_agent.disable_metrics_collector = true
disk_free_limit.absolute = 1MB
vm_memory_high_watermark.absolute = 1GB
"""


def program(name: str) -> Path | None:
    """Returns one of its programs; None where it is not installed."""
    found = DEBIANS / name
    if found.exists():
        return found
    elsewhere = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return Path(elsewhere) if elsewhere else None


class RabbitServer:
    """A RabbitMQ on a loopback port; what it keeps on disk goes with it."""

    user, password = "tester", "guess:me@if/you%can"

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._folder = tempfile.TemporaryDirectory(prefix="refresher-tests-")
        self._at = Path(self._folder.name)
        guard.remove(self._at)
        self.port, distribution, self._names = free_port(), free_port(), free_port()
        self._node: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        told = {"host": LOOPBACK, "port": self.port, "user": self.user, "password": self.password}
        (self._at / "rabbitmq.conf").write_text(CONFIGURATION.format_map(told))
        (self._at / "enabled_plugins").write_text("[].\n")
        ours = {
            "RABBITMQ_NODENAME": f"tests{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(self._at / "data"),
            "RABBITMQ_LOG_BASE": str(self._at / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(self._at / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._at / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
            "RABBITMQ_CONF_ENV_FILE": str(self._at / "none"),
            "ERL_EPMD_PORT": str(self._names),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "HOME": str(
                self._at
            ),  # where Erlang keeps the cookie by which its programs know each other
        }
        self._environment = {k: v for k, v in os.environ.items() if "RABBITMQ" not in k} | ours

    def url(self, host: str = "/", user: str = "", password: str = "") -> str:
        """Returns the URL of a virtual host, by default of the one that is always there."""
        who = f"{quote(user or self.user, '')}:{quote(password or self.password, '')}"
        return f"amqp://{who}@{LOOPBACK}:{self.port}/{quote(host, '')}"

    @property
    def log(self) -> str:
        """What the server has printed."""
        return (self._at / "printed").read_text(errors="replace")

    def start(self) -> None:
        """Starts the server with what it kept, on the port it always had; nothing while it runs."""
        if self._node is not None and self._node.poll() is None:
            return
        if self._epmd is None:
            # Else the node would start one that outlives it, for the whole machine.
            self._epmd = self._run(
                "epmd", shutil.which("epmd") or "epmd", "-port", str(self._names)
            )
        server = program("rabbitmq-server")
        assert server is not None, "RabbitMQ is not there: apt-get install rabbitmq-server"
        self._node = self._run("printed", str(server))
        wait_until(self.answers, reason=lambda: f"RabbitMQ did not start: {self.log}")

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            pika.BlockingConnection(pika.URLParameters(self.url())).close()
        except (AMQPError, OSError):
            return False
        return True

    def control(self, *arguments: str) -> str:
        """Runs `rabbitmqctl` and returns what it printed."""
        command = [str(program("rabbitmqctl")), "--quiet", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        return done.stdout.decode()

    def stop(self) -> None:
        """Stops the server as a supervisor does; it keeps what is durable."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kills the server with -9."""
        self._end(signal.SIGKILL)

    def forget_all(self) -> None:
        """Kills the server, and removes what it kept, as a container does that has no disk."""
        self.kill()
        shutil.rmtree(self._at / "data")

    def suspend(self) -> None:
        """Freezes the server."""
        assert self._node is not None
        os.killpg(self._node.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets the server go on."""
        assert self._node is not None
        os.killpg(self._node.pid, signal.SIGCONT)

    def close(self) -> None:
        """Stops everything for good."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._guard.forget(self._epmd.pid)
        self._folder.cleanup()

    def _run(self, log: str, *command: str) -> subprocess.Popen[bytes]:
        with (self._at / log).open("ab") as file:
            started = subprocess.Popen(
                command, env=self._environment, stdout=file, stderr=file, start_new_session=True
            )
        self._guard.watch(started.pid)
        return started

    def _end(self, number: signal.Signals) -> None:
        """Ends the node with its helpers: all of them are of its group."""
        if self._node is None:
            return
        os.killpg(self._node.pid, number)
        self._node.wait(timeout=60)
        self._guard.forget(self._node.pid)
        self._node = None
