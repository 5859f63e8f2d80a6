"""A cron script: asks the provider for each connection whose id stands on a line of stdin.

    0 3 * * *  . /etc/refresher/env; python examples/cron_sync.py < connections.txt

Beside refresher, with its DATABASE_URL and REFRESHER_ENCRYPTION_KEYS: no API is needed, and a fresh
token costs one statement. One account's trouble holds nobody up. Exits with 1 when a person must help.
"""

from __future__ import annotations

import os
import sys

import httpx

from refresher.client import NoSuchConnection, Refresher, TokenUnavailable

PROFILE_URL = os.environ.get("PROFILE_URL", "https://www.googleapis.com/oauth2/v3/userinfo")


def sync(refresher: Refresher, http: httpx.Client, connection_id: str) -> bool:
    """Fetches one account; returns whether nobody has to look at it."""
    try:
        answer = http.get(PROFILE_URL, auth=refresher.auth(connection_id))
        answer.raise_for_status()
    except (NoSuchConnection, TokenUnavailable) as error:
        print(f"{connection_id}: {error}", file=sys.stderr)
        # What waiting mends is tried again by the next run.
        return getattr(error, "retry_after_seconds", None) is not None
    except httpx.HTTPError as error:
        print(f"{connection_id}: the provider: {error}", file=sys.stderr)
        return True
    print(f"{connection_id}: {answer.json()}")
    return True


def main() -> int:
    """Goes through all, and returns the exit code."""
    ids = [line.strip() for line in sys.stdin if line.strip()]
    with (
        Refresher(
            database_url=os.environ["DATABASE_URL"],
            encryption_keys=os.environ["REFRESHER_ENCRYPTION_KEYS"],
        ) as refresher,
        httpx.Client() as http,
    ):
        went_well = [sync(refresher, http, each) for each in ids]
    return 0 if all(went_well) else 1


if __name__ == "__main__":
    sys.exit(main())
