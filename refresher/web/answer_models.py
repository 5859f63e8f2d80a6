"""The shapes of the routes of kept answers."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from refresher.refresh.rereading import How
from refresher.web.models import Body, Needed, Shape


class AnswerShape(Shape):
    """An answer that could not be read, without what stands in it."""

    id: UUID
    connection_id: UUID
    organization_id: str
    provider: str
    external_id: str
    received_at: datetime
    attempt: int = Field(description="The attempt's number, as its event has it.")
    credential_version: int
    http_status: int
    failure: str | None = Field(description="What broke it off; null: it came to its end.")
    content_type: str
    content_encoding: str
    bytes: int
    looks_like_grant: bool = Field(description="It names a token and is no page.")
    reason: str
    read_at: datetime | None


class AnswerPage(Shape):
    """A page of answers, the newest first; `next_cursor` null on the last one."""

    items: list[AnswerShape]
    next_cursor: str | None


class RereadBody(Body):
    """Whose answers to read again."""

    provider: Needed


class RereadShape(Shape):
    """What came of reading an answer again."""

    id: UUID
    connection_id: UUID
    outcome: How
    reason: str | None


class RereadList(Shape):
    """What came of each answer."""

    items: list[RereadShape]
