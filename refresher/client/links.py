"""Resume links: who has one makes a waiting connection go on, once, and needs no API key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from refresher.client.calls import Call
from refresher.client.values import made
from refresher.client.which import Which, as_id


@dataclass(frozen=True, slots=True)
class ResumeLink:
    """A new link, shown this once: treat it as a key. `url` is None where nobody set a public URL."""

    id: UUID
    connection_id: UUID
    path: str = field(repr=False)
    url: str | None = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ResumeLinkStatus:
    """What became of a link: `state` is `open`, `used`, `withdrawn` or `expired`."""

    id: UUID
    connection_id: UUID
    state: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    withdrawn_at: datetime | None = None
    replaces_tokens: bool = False


def make(which: Which, *, expires_in_seconds: float, replaces_tokens: bool) -> Call[ResumeLink]:
    """A link."""
    id_ = as_id(which)
    order = {"expires_in_seconds": expires_in_seconds, "replaces_tokens": replaces_tokens}
    return Call(
        "POST",
        f"/v1/connections/{id_}/resume-link",
        read=lambda document: made(ResumeLink, document),
        here=lambda direct: made(
            ResumeLink,
            direct.resume_link(id_, seconds=expires_in_seconds, replaces_tokens=replaces_tokens),
        ),
        body=order,
    )


def listed(which: Which) -> Call[tuple[ResumeLinkStatus, ...]]:
    """The links of a connection."""
    id_ = as_id(which)
    return Call(
        "GET",
        f"/v1/connections/{id_}/resume-links",
        read=lambda document: tuple(made(ResumeLinkStatus, one) for one in document["items"]),
        here=lambda direct: tuple(made(ResumeLinkStatus, one) for one in direct.resume_links(id_)),
    )


def withdraw(which: Which, link_id: UUID | str) -> Call[ResumeLinkStatus]:
    """A link that works no more."""
    id_, link = as_id(which), as_id(link_id)
    return Call(
        "DELETE",
        f"/v1/connections/{id_}/resume-links/{link}",
        read=lambda document: made(ResumeLinkStatus, document),
        here=lambda direct: made(ResumeLinkStatus, direct.withdraw_link(id_, link)),
        once=True,
    )
