"""The web process as it is run, with triggers that a test arms."""

import os
import sys
from pathlib import Path

from refresher.testing.sandbox import Sandbox
from refresher.testing.triggers import Triggers
from refresher.web.__main__ import main


def environment(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """Returns the web process's settings."""
    settings = sandbox.services.settings
    assert settings.public_url is not None
    return {
        "DATABASE_URL": settings.database,
        "PORT": settings.public_url.rpartition(":")[2],
        "HOST": "127.0.0.1",
        "REFRESHER_PUBLIC_URL": settings.public_url,
        "REFRESHER_ENCRYPTION_KEYS": settings.encryption_keys[0].get_secret_value(),
        "REFRESHER_PROVIDERS_FILE": str(folder / "providers.toml"),
        "REFRESHER_DATA_DIRECTORY": str(folder),
        "REFRESHER_ALLOW_INSECURE_HOSTS": "loopback",
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
        "CONNECT_TRIGGERS": str(folder / "triggers"),
    }


if __name__ == "__main__":
    Triggers(Path(os.environ["CONNECT_TRIGGERS"])).listen()
    sys.exit(main(()))
