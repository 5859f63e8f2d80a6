"""What `needs.py` and `verdict.py` decide from: bounded counts, and the first of what is not well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RefusedApp:
    """An app of ours that its provider does not take; `waiting` connections hang on it.

    `first_ends_at` is when the first of their tokens ends, None where it is not known; `ended` have.
    """

    provider: str
    title: str
    app: str
    reason: str
    since: datetime
    waiting: int
    first_ends_at: datetime | None = None
    ended: int = 0
    organization_id: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Connections of one provider, or of one app there, that are alike; `latest_at` the newest."""

    provider: str
    title: str
    number: int
    app: str = "default"
    latest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DisabledEndpoint:
    """A webhook endpoint that is sent nothing, by no person's wish, and what is kept for it."""

    id: UUID
    host: str
    reason: str
    held: int


@dataclass(frozen=True, slots=True)
class MailTrouble:
    """Why no mail goes out; mails that were given up, the last reason; addresses that were refused."""

    stopped: str | None = None
    given_up: int = 0
    last_reason: str | None = None
    refused_addresses: int = 0


@dataclass(frozen=True, slots=True)
class AilingProcess:
    """A process that lives and gives no sign of life, or one of whose jobs fails again and again."""

    role: str
    host: str
    process_id: int
    silent_seconds: float = 0.0
    job: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NeedFacts:
    """What is known. `organization_id` narrows the links; `untold` have nobody who hears of it.

    `parked` counts by reason, whoever decided it; `by_provider` has what is known better of some of
    these reasons. `missing_roles` have no process although there is work.
    """

    organization_id: str | None = None
    refused: Sequence[RefusedApp] = ()
    parked: Mapping[str, int] = field(default_factory=dict)
    by_provider: Mapping[str, Sequence[Group]] = field(default_factory=dict)
    untold: int = 0
    endpoints: Sequence[DisabledEndpoint] = ()
    mail: MailTrouble = field(default_factory=MailTrouble)
    missing_roles: Sequence[str] = ()
    ailing: Sequence[AilingProcess] = ()
    broken: Sequence[str] = ()
