"""The auth of requests: the token put into a prepared request, and a hook that looks at its answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from refresher.client.token_steps import UNAUTHORIZED, until_sent
from refresher.rules.served import Served

if TYPE_CHECKING:
    from refresher.client.auth import ConnectionAuth


def prepare(auth: ConnectionAuth, request: Any) -> Any:
    """Returns the request with a token; who sends it twice gets a 401 put right each time."""
    step = until_sent(auth.memory.steps(lambda: True), auth.ask)
    if step is not None:
        request.headers["Authorization"] = step.served.header()
        request.register_hook("response", partial(_answered, auth, step.served))
    return request


def _answered(auth: ConnectionAuth, served: Served, response: Any, **options: Any) -> Any:
    """Returns the answer, or that to the request repeated; `options` are those it was sent with.

    A redirect to another origin did not bring the token: its 401 is none of ours.
    """
    request = response.request
    brought = request.headers.get("Authorization")
    if response.status_code != UNAUTHORIZED or brought != served.header():
        return response
    response.content  # noqa: B018  so that the connection can be used again
    response.close()
    again = request.copy()
    step = until_sent(auth.memory.steps(lambda: _is_rewound(again), served), auth.ask)
    return response if step is None else _repeated(again, step.served, response, options)


def _repeated(again: Any, served: Served, response: Any, options: dict[str, Any]) -> Any:
    """Sends past the session, so that no hook is called a second time."""
    from requests.cookies import extract_cookies_to_jar

    again.headers["Authorization"] = served.header()
    jar = again._cookies  # noqa: SLF001  as its digest auth does
    extract_cookies_to_jar(jar, response.request, response.raw)  # type: ignore[no-untyped-call]
    again.prepare_cookies(jar)
    answer = response.connection.send(again, **options)
    answer.history.append(response)
    answer.request = again
    return answer


def _is_rewound(request: Any) -> bool:
    """Whether the body can be sent again; a file goes back to where it was, a generator cannot."""
    from requests.exceptions import UnrewindableBodyError
    from requests.utils import rewind_body

    if request.body is None or isinstance(request.body, bytes | str):
        return True
    try:
        rewind_body(request)
    except UnrewindableBodyError:
        return False
    return True
