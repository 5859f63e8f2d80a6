"""Serves the authorization server: `python -m tests.acceptance.authserver --directory DIR`.

Prints one line of JSON when it is ready, then serves until SIGTERM. Tests start it through
harness.py; what it serves is told in settings.py, whom it knows in seed.py.
"""
# mypy: disable-error-code="import-untyped"
# Django and Waitress ship no type information.

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any, NoReturn

import django
import waitress
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command

from .options import Options, parse
from .settings import settings_for

# SQLite lets one thread write at a time; the others parse requests and check secrets meanwhile.
THREADS = 8


def main() -> None:
    """Makes the database, seeds it, says so in one line, and serves until SIGTERM."""
    options = parse(sys.argv[1:])
    options.directory.mkdir(parents=True, exist_ok=True)
    settings.configure(**settings_for(options))
    django.setup()
    call_command("migrate", verbosity=0)
    signal.signal(signal.SIGTERM, _leave)
    server = _listen(options.port)
    # Last, because the seeded tokens live for seconds and start to age here.
    ready = json.dumps(_seed(options, f"http://127.0.0.1:{server.effective_port}"))
    sys.stdout.write(f"{ready}\n")
    sys.stdout.flush()
    server.run()


def _listen(port: int) -> Any:
    return waitress.create_server(
        WSGIHandler(),
        host="127.0.0.1",
        port=port,
        threads=THREADS,
        connection_limit=1000,
        # select() fails above 1,023 descriptors.
        asyncore_use_poll=True,
    )


def _seed(options: Options, url: str) -> dict[str, Any]:
    """Fills the database and returns the ready line: where to ask, and who may."""
    from . import seed, urls  # noqa: PLC0415 (models load only after settings)

    client = seed.register_client("refresher")
    resource_server = seed.register_client("resource server")
    seeded_at = time.time()
    expires_in = seed.lifetimes(options.grants, options.access_token_seconds)
    seed.write_grants(seed.issue_grants(client, expires_in), options.grants_file)
    return {
        "url": url,
        "token_url": url + urls.TOKEN_PATH,
        "introspect_url": url + urls.INTROSPECT_PATH,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "introspection": {
            "client_id": resource_server.client_id,
            "client_secret": resource_server.client_secret,
        },
        "pid": os.getpid(),
        "grants_file": str(options.grants_file),
        "seeded_at": seeded_at,
    }


def _leave(_signal: int, _frame: object) -> NoReturn:
    # Waitress answers SystemExit by finishing the requests at hand.
    raise SystemExit(0)


if __name__ == "__main__":
    main()
