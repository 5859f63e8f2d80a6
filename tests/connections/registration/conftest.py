"""One place for each test: `opened('token_url = "{url}/token"')`; and the two ways in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from refresher.connections import registration
from refresher.rules.registration import read
from tests.connections.registration.kit import APP, Over, Place, place
from tests.web.kit import Site


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Opens a place with an entry of a providers file for acme."""
    with ExitStack() as stack:
        yield lambda entry, apps=APP: stack.enter_context(
            place(database_url, tmp_path, entry, apps)
        )


@pytest.fixture
def site_of() -> Iterator[Callable[[Place], Site]]:
    """Opens an API over the services of a place."""
    with ExitStack() as stack:
        yield lambda place: stack.enter_context(Site.opened(place))  # type: ignore[arg-type]


@pytest.fixture(params=["api", "import"])
def hand_over(request: pytest.FixtureRequest, site_of: Callable[[Place], Site]) -> Over:
    """The two ways in, one after the other."""
    sites: dict[int, Site] = {}

    def over_api(place: Place, line: dict[str, Any]) -> str | None:
        if not sites:
            sites[id(place)] = site_of(place)
        answer = sites[id(place)]("PUT", "/v1/connections", json=line)
        if answer.status_code in {200, 201}:
            return None
        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] in {"invalid_connection", "invalid_body"}
        return str(answer.json()["detail"])

    def over_import(place: Place, line: dict[str, Any]) -> str | None:
        try:
            taken = registration.take(place.services, [read(line)])
        except Exception as error:  # noqa: BLE001  what is refused at the reading is a sentence too
            return str(error)
        return taken.rejected.get(0)

    return over_api if request.param == "api" else over_import
