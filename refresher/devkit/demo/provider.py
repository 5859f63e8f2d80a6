"""The demo's OAuth server: a process of its own that rotates, keeps a ledger, and is the referee.

How strict the server is: `Plan.grace_seconds`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from refresher.devkit.demo.plan import DemoFailed, Plan
from refresher.devkit.oauth_server import Check, FakeProviderClient, HeldTokens, Summary
from refresher.rules.registration import NewConnection, read

NAME = "demo"
CLIENT_ID = "demo-client"
CLIENT_SECRET = "demo-secret"
CONSENTS_AT_ONCE = 1_000
LEAST_LEFT_SHARE = 0.3


class DemoProvider:
    """The server process and our conversation with it."""

    def __init__(self, plan: Plan, log: Path) -> None:
        self._plan = plan
        self._process = _start(plan, log)
        self.url = _announced(self._process, log)
        self._admin = FakeProviderClient(self.url)

    def stop(self) -> None:
        """Ends the process."""
        self._admin.close()
        self._process.terminate()
        self._process.wait()

    def consents(self) -> Iterator[list[NewConnection]]:
        """Yields the accounts of the plan as an application would hand them over, in chunks.

        They connected at different times: 30 to 100 % of each access token's life is left.
        """
        life = self._plan.lifetime_seconds
        for first in range(0, self._plan.connections, CONSENTS_AT_ONCE):
            issued = self._admin.create_grants(
                min(CONSENTS_AT_ONCE, self._plan.connections - first),
                expires_spread_seconds=[life * LEAST_LEFT_SHARE, life],
            )
            yield [
                read(
                    {
                        "organization_id": "demo",
                        "provider": NAME,
                        "external_id": grant.external_id,
                        "access_token": grant.access_token,
                        "refresh_token": grant.refresh_token,
                        "expires_in": grant.expires_in,
                    }
                )
                for grant in issued
            ]

    def served(self) -> Summary:
        """Returns the ledger's totals."""
        return self._admin.summary()

    def judge(self, held: Iterable[HeldTokens]) -> Iterator[Check]:
        """Yields the referee's word on stored pairs."""
        return self._admin.check(held)


def providers_toml(url: str, plan: Plan) -> str:
    """Returns the providers file that teaches refresher this server: all that a new one takes."""
    return f"""\
[providers.{NAME}]
title = "The demo's OAuth server"
token_url = "{url}/token"
rotation = "always"
reuse_grace_seconds = {plan.grace_seconds:g}
access_token_lifetime_seconds = {plan.lifetime_seconds:g}

[apps.{NAME}]
client_id = "{CLIENT_ID}"
client_secret = "{CLIENT_SECRET}"
"""


def _start(plan: Plan, log: Path) -> subprocess.Popen[bytes]:
    options = {
        "client-id": CLIENT_ID,
        "client-secret": CLIENT_SECRET,
        "rotation": "always",
        "reuse": "revoke_family",
        "grace-seconds": f"{plan.grace_seconds:g}",
        "lifetime-seconds": f"{plan.lifetime_seconds:g}",
        "seed": str(plan.seed),
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "refresher.devkit.oauth_server", "--exit-with-parent"]
    with log.open("wb") as errors:
        return subprocess.Popen(  # noqa: S603  this Python, options of ours
            [*command, *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # a Ctrl-C is meant for the demo, which ends it in its turn
        )


def _announced(process: subprocess.Popen[bytes], log: Path) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise DemoFailed(f"the demo's OAuth server did not start (its log: {log})")
    return str(json.loads(line)["url"])
