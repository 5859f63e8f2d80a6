# Made of asynchronous/sessions.py by `make client`: change that one.
"""Connect sessions: a person is led through a provider's consent. docs/connect.md."""

from __future__ import annotations

from typing import Unpack
from uuid import UUID

from refresher.client import connecting
from refresher.client.connecting import ConnectStart, ConnectStatus, Whom, Wishes
from refresher.client.opened import Opened
from refresher.client.stepping import Response
from refresher.client.which import Which


class Sessions(Opened):
    """What leads to a connection."""

    def connect_url(self, **whom: Unpack[Whom]) -> ConnectStart:
        """Begins a connect session: send the person to `url`, and keep the rest in *their* session.

        `provider` and `external_id` say what becomes of it, `scopes` what is asked for besides; an
        account that is connected already is a reconnect. With `return_url` the person comes back there
        with `connect_code`, for `connect_complete`. All that it takes: docs/connect.md.
        """
        return self._run(connecting.begin({**whom}))

    def reconnect_url(self, which: Which, **wishes: Unpack[Wishes]) -> ConnectStart:
        """Begins a session in which the same account is connected again; `scopes` are added."""
        return self._run(connecting.reconnect(which, wishes))

    def connect_complete(
        self, session_id: UUID | str, *, code: str, verifier: str
    ) -> ConnectStatus:
        """Makes it a connection: `code` came to the return URL, `verifier` is the user's session's.

        Once, and within ten minutes. Raises `ConnectRefused` where one of them is not the session's.
        """
        return self._run(connecting.complete(session_id, code, verifier))

    def connect_status(self, session_id: UUID | str) -> ConnectStatus:
        """Returns how a connect session stands; raises `NoSuchSession`."""
        return self._run(connecting.status(session_id))

    def connect_wait(self, session_id: UUID | str, wait_seconds: float = 600.0) -> ConnectStatus:
        """Waits until a connect session has ended, so long at most, and returns how it stands."""
        import time

        for look in connecting.looks(session_id, wait_seconds):
            found = self._run(look)
            if found.is_over:
                break
            time.sleep(connecting.PAUSE_SECONDS)
        return found

    def connect_cancel(self, session_id: UUID | str) -> ConnectStatus:
        """Ends a connect session, and withdraws its link."""
        return self._run(connecting.cancel(session_id))

    def step_up(
        self, which: Which, response: Response, **wishes: Unpack[Wishes]
    ) -> ConnectStart | None:
        """Begins a session for the scopes that a 403 with `insufficient_scope` asks for (RFC 6750).

        The same one while it is open: at most one for each connection. None where the answer asks for
        nothing that more consent could give, or the person is on the way already.
        """
        steps = self._step_ups.steps(which, response, wishes)
        try:
            call = next(steps)
            while True:
                call = steps.send(self._run(call))
        except StopIteration as done:
            found: ConnectStart | None = done.value
            return found
