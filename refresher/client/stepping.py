"""More consent where a server refuses what a token may do: MCP authorization, "step-up".

A refresh cannot widen what was consented to (RFC 6749 section 6), so only the person can.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Protocol
from uuid import UUID

from refresher.client import connecting, operations
from refresher.client.calls import Call
from refresher.client.connecting import ConnectStart
from refresher.client.which import Which, as_id
from refresher.rules.challenges import wanted_scopes

Steps = Generator[Call[Any], Any, ConnectStart | None]


class Response(Protocol):
    """An answer of httpx, requests and others alike."""

    @property
    def status_code(self) -> int:
        """Its status."""

    @property
    def headers(self) -> Any:
        """Its headers, by name in any case."""


class StepUps:
    """The links that this process has made for more consent, so that it makes no second one."""

    def __init__(self) -> None:
        self._made: dict[UUID, ConnectStart] = {}

    def steps(self, which: Which, response: Response, wishes: Mapping[str, object]) -> Steps:
        """Yields what is to be asked, is sent its answers, and returns what came of it.

        None: the answer asks for no more, or for what there is already; or the person is on the way.
        """
        id_ = as_id(which)
        header = str(response.headers.get("www-authenticate") or "")
        wanted = set(wanted_scopes(response.status_code, header) or ())
        if not wanted:
            return None
        connection = yield operations.get(id_)
        granted = (
            connection.scopes if connection.granted_scopes is None else connection.granted_scopes
        )
        if wanted <= set(granted):
            return None  # the server would say so for ever
        mine = self._made.get(id_)
        under_way = yield connecting.opened(id_)
        same = [one for one in under_way if wanted <= set(one.scopes)]
        if mine is not None and mine.session_id in {one.session_id for one in same}:
            return mine
        if any(one.attempts for one in same):
            return None
        for one in same:  # its link is known to nobody here
            yield connecting.cancel(one.session_id)
        scopes = sorted(wanted)
        self._made[id_] = made = yield connecting.reconnect(id_, {**wishes, "scopes": scopes})
        return made  # type: ignore[no-any-return]
