"""The lines of an export: what is written of a connection, and what its seal is bound to.

JSON Lines. The first is the header, the last tells how many there are between. Those are import lines
(docs/import.md) with what an import by hand cannot say: how the connection stands, since when,
until when. Tokens are left out, in the clear, or sealed to whoever holds the receiver's key. Pure; read
back by `restoring.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from refresher.errors import InvalidConnection, RefresherError
from refresher.rules import intake_fields as fields
from refresher.rules.connection import SPENT, ParkReason

FORMAT = 1
MARK = "refresher_export"
"""The header's member that tells an export from any other JSON Lines."""
END = "refresher_export_end"
"""The last line's only member: how many connections there are."""


class ExportRefused(RefresherError):
    """An export as a whole cannot be read here. The message is the sentence that is printed."""

    exit_code = 2


class Tokens(StrEnum):
    """What an export has of tokens."""

    NONE = "none"
    SEALED = "sealed"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Header:
    """What holds for a whole export.

    `exported_at` is the exporting database's clock when it was looked at; `sealed_to` the id of the
    receiver's key; `paused` tells that each connection was paused before it was read.
    """

    exported_at: datetime
    tokens: Tokens
    installation: str
    sealed_to: str | None = None
    paused: bool = False

    def as_line(self) -> dict[str, object]:
        """Returns the first line."""
        told = {name: value for name, value in asdict(self).items() if value is not None}
        return {MARK: FORMAT, **told, "exported_at": self.exported_at.isoformat()}


def read_header(line: object) -> Header | None:
    """Returns the header in a first line, None where it is none; raises `ExportRefused`."""
    if not isinstance(line, dict) or MARK not in line:
        return None
    if line[MARK] != FORMAT:
        raise ExportRefused(
            f"this export has the format {str(line[MARK])[:20]}, and this program reads {FORMAT}: "
            "bring both installations to one version"
        )
    try:
        return _header(line)
    except (InvalidConnection, KeyError, TypeError, ValueError):
        raise ExportRefused(
            "the export's first line is damaged: copy it from its source once more"
        ) from None


def _header(line: Mapping[str, Any]) -> Header:
    exported_at = fields.instant(line, "exported_at")
    sealed_to = fields.text(line, "sealed_to")
    tokens = Tokens(line["tokens"])
    if exported_at is None or (tokens is Tokens.SEALED) != bool(sealed_to):
        raise ValueError
    return Header(
        exported_at,
        tokens,
        fields.text(line, "installation") or "",
        sealed_to,
        paused=fields.flag(line, "paused") or False,
    )


def read_end(line: object) -> int | None:
    """Returns what the last line of an export tells, None where a line is another."""
    number = line.get(END) if isinstance(line, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


INSTANTS = (
    *("issued_at", "expires_at", "refresh_token_expires_at", "grant_ends_at"),
    *("paused_at", "disabled_at"),
)
OF_EACH_TOKEN = (
    *("scopes", "granted_scopes", "kept_fields", "lifetime_seconds", "status", "status_cause"),
    *("in_between_steps", "parked_reason", *INSTANTS),
)
"""What is told of a connection, and of each of its slots again."""
OF_THE_WHOLE = (
    *(
        "id",
        "organization_id",
        "provider",
        "external_id",
        "root_external_id",
        "name",
        "app",
        "host",
    ),
    *("placeholders", "metadata", "account", "account_label", "created_at", "health"),
)
SECRETS = ("access_token", "refresh_token", "kept_secrets")


def line(row: Mapping[str, Any], slots: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the line of a connection without its tokens; what is null or false is left out."""
    told = _told(row, (*OF_THE_WHOLE, *OF_EACH_TOKEN))
    if slots:
        told["slots"] = {name: _told(slot, OF_EACH_TOKEN) for name, slot in sorted(slots.items())}
    return told


def _told(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: row[name] for name in names if row[name] is not None and row[name] is not False}
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | float | list | dict) else str(value)


def with_secrets(told: Mapping[str, Any], secrets: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the line with tokens in the clear, those of slots where the slots are."""
    slots = {
        name: {**slot, **secrets.get("slots", {}).get(name, {})}
        for name, slot in told.get("slots", {}).items()
    }
    own = {name: value for name, value in secrets.items() if name != "slots"}
    return {**told, **own, **({"slots": slots} if slots else {})}


def bound_to(header: Header, told: Mapping[str, Any]) -> bytes:
    """Returns what a line's seal holds for: this export, and all that the line says in the clear.

    So its tokens open in no other line, and in none that was changed: not its organization, not the
    host that they would be sent to. `told` is as it is read from JSON.
    """
    public = {name: value for name, value in told.items() if name != "sealed"}
    whole = [f"refresher export {FORMAT}", header.as_line(), public]
    return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()


def parked_there(reason: object) -> ParkReason | None:
    """Returns what a connection is parked for where it arrives, of what it was parked for here.

    What the other installation finds out for itself (no app, no provider) is none. An answer that could
    not be read stays where it came to: there, it is lost.
    """
    if isinstance(reason, str) and reason in SPENT:
        return ParkReason.LOST_ANSWER
    return ParkReason.CRASH_LOOP if reason == ParkReason.CRASH_LOOP else None
