"""What handlers ask for in their signatures: who calls, ids, entity tags; and what they answer.

A handler is a plain function of these, of a `query` and of a `body` (`shapes.py`). It returns a value
of the store, or a `Answered` with a status or an entity tag of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from fastapi import Depends, Header, Path, Security
from pydantic import BeforeValidator
from starlette.requests import Request

from refresher.rules.access import Actor, ApiKey, Scope
from refresher.runtime.services import Services
from refresher.store.session import Database
from refresher.web import reading
from refresher.web.problems import Problem
from refresher.web.shapes import Owned
from refresher.web.state import Shared, tenant_of

T = TypeVar("T")
NOT_ITS_OWN = "organization_id is not the one that the API key belongs to"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key a request showed, and what this process serves with."""

    state: Shared
    key: ApiKey

    @property
    def services(self) -> Services:
        """What everything in this process shares."""
        return self.state.services

    @property
    def database(self) -> Database:
        """Postgres."""
        return self.state.services.database

    @property
    def actor(self) -> Actor:
        """Who acts, as events and the audit name them."""
        return self.key.actor

    @property
    def organization_id(self) -> str | None:
        """The organization that the key is bound to; None: it is for all of them."""
        return self.key.organization_id

    def owner(self, body: Owned) -> str | None:
        """Returns the organization that a body means, None for the operators; raises 403 or 422.

        A bound key means its own. A key for all must say which, or null: nobody becomes an operator's
        by forgetting a field.
        """
        own, given = self.organization_id, body.organization_id
        if own is not None:
            if given not in {None, own}:
                raise Problem("organization_mismatch", NOT_ITS_OWN)
            return own
        if "organization_id" not in body.model_fields_set:
            sentence = "it is missing; give an organization's id, or null for operators"
            raise Problem("invalid_body", f"organization_id: {sentence}")
        if given is not None and not given.strip():
            raise Problem("invalid_body", "organization_id: it is empty; give an organization's id")
        return given

    async def in_thread(self, work: Callable[..., T], *given: object) -> T:
        """Returns what `work` returns, done on a thread of the pool."""
        return await self.state.in_thread(work, *given)

    async def outside(self, work: Callable[..., T], *given: object) -> T:
        """The same for work that waits for somebody else's server; raises 429 for too much of it."""
        return await self.state.outside.run(tenant_of(self.key), work, *given)


@dataclass(frozen=True, slots=True)
class Removed:
    """What is gone."""

    id: UUID
    deleted: Literal[True] = True


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """A value with another status than the usual one, or with an entity tag."""

    value: T
    status: int | None = None
    etag: str | None = None


class Admitted(Request):
    """A request that was let in: its key is judged, and its body read."""

    def __init__(self, request: Request, caller: Caller | None, raw: bytes, plain: object) -> None:
        super().__init__(request.scope, request.receive)
        self.caller, self.raw, self.plain = caller, raw, plain

    async def body(self) -> bytes:
        """Returns the whole body."""
        return self.raw

    async def json(self) -> Any:
        """Returns the body's JSON as plain values."""
        return self.plain


async def caller_of(request: Admitted) -> Caller:
    """Returns who asks."""
    assert request.caller is not None
    return request.caller


async def plain_body(request: Admitted) -> Any:
    """Returns the body as it came, before it was validated."""
    return request.plain


async def entity_tags(
    request: Admitted,
    _given: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="The ETag that was read: 412 when the connection has changed since.",
            json_schema_extra={"pattern": r'^("[0-9]+-[0-9]+"|\*)$'},
        ),
    ] = None,
) -> frozenset[str] | None:
    """Returns the entity tags of which one must be the connection's; None: any version will do."""
    return reading.if_match(reading.headers(request.scope["headers"]))


async def idempotency_key(
    _given: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Any unique text, such as a UUID: the same request again gets the first "
            "answer.",
            json_schema_extra={"pattern": "^[!-~]{1,255}$"},
        ),
    ] = None,
) -> None:
    """Tells that an operation takes one; `ApiRoute` keeps to it, before and after the handler."""


AnyKey = Annotated[Caller, Security(caller_of)]
Reader = Annotated[Caller, Security(caller_of, scopes=[Scope.READ])]
TokenReader = Annotated[Caller, Security(caller_of, scopes=[Scope.TOKEN])]
Writer = Annotated[Caller, Security(caller_of, scopes=[Scope.WRITE])]
Connector = Annotated[Caller, Security(caller_of, scopes=[Scope.CONNECT])]
Admin = Annotated[Caller, Security(caller_of, scopes=[Scope.ADMIN])]
Plain = Annotated[dict[str, Any], Depends(plain_body)]
IfMatch = Annotated[frozenset[str] | None, Depends(entity_tags)]
ONCE = Depends(idempotency_key)
Id = Annotated[UUID, BeforeValidator(reading.hyphenated)]
ConnectionId = Annotated[Id, Path(alias="id")]


def with_problems(*codes: str) -> dict[str, Any]:
    """For `openapi_extra`: the problems of an operation beyond those that follow from its parts."""
    return {"x-problems": list(codes)}
