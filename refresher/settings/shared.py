"""What all processes of an installation, and whoever works on it, must have alike: told by digests.

A process writes the digests of its settings beside its name in the database; `doctor` compares them
with those of its own terminal. No secret, and no digest of one, is among them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretStr

from refresher.settings.names import variable

if TYPE_CHECKING:
    from refresher.settings import Settings

OF_ONE_PROCESS = frozenset(
    {
        *("port", "host", "status_port", "log_level", "log_format", "data_directory", "sender"),
        *("metrics", "metrics_gauges", "metrics_cache_seconds", "traces", "sentry_environment"),
        *("worker_threads", "in_process_processes", "max_in_flight", "shutdown_seconds"),
        *("database_pool_size", "statement_timeout_seconds", "hsts_seconds", "public_url"),
        "on_demand_interval_seconds",
    }
)
"""Settings that each process may have for itself, or that only the web process reads."""
OF_THE_WEB = ("web_", "api_", "quota_", "connect", "trusted_", "dashboard")


def digests(settings: Settings) -> dict[str, str]:
    """Returns a digest of each value that is no default, by the variable that sets it."""
    found: dict[str, str] = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if name in OF_ONE_PROCESS or name.startswith(OF_THE_WEB) or not _is_public(value):
            continue
        if isinstance(value, BaseModel):
            parts = type(value).model_fields
            found |= {
                variable(f"{name}.{part}"): _digest(getattr(value, part))
                for part in parts
                if getattr(value, part) != parts[part].default
            }
        elif value != field.default:
            found[variable(name)] = _digest(value)
    return found


def differing(theirs: Mapping[str, str], ours: Mapping[str, str]) -> list[str]:
    """Returns the variables whose values differ, sorted; one that is missing has its default."""
    return sorted(n for n in {*theirs, *ours} if theirs.get(n) != ours.get(n))


def _is_public(value: object) -> bool:
    """Whether a value is no secret, and no path: that of a file differs between two machines."""
    if isinstance(value, tuple):
        return all(_is_public(one) for one in value)
    return not isinstance(value, SecretStr | Path)


def _digest(value: object) -> str:
    return sha256(json.dumps(value, default=str).encode()).hexdigest()[:12]
