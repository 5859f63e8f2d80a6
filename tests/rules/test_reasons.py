"""`rules/reasons.py`: what each reason for parking means, and where it is mended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pytest

from refresher.rules import reasons
from refresher.rules.connection import ParkReason
from refresher.rules.reasons import Way
from tests.rules.samples import ID, NOW


@dataclass(frozen=True)
class Named:
    """A connection, as much as an advice names of it."""

    id: UUID = ID
    provider: str = "acme"
    app_name: str = "a/b"


@dataclass(frozen=True)
class Kept(Named):
    """An answer, as much as is told of it."""

    received_at: datetime = NOW
    bytes: int = 1
    reason: str = "unreadable"


@pytest.mark.parametrize(
    ("reason", "path"),
    [
        ("paused", f"/ui/connections/{ID}"),
        ("reconnect_required", f"/ui/connections/{ID}/link"),
        ("app_not_configured", "/ui/apps/acme/a%2Fb"),
        ("unread_answer", "/ui/providers/acme"),
        ("deleted", None),
        ("unheard_of", None),
        (None, None),
    ],
)
def test_a_mend_leads_to_its_page(reason: str | None, path: str | None) -> None:
    """Where the dashboard has a page for it, there is a way to it; elsewhere none."""
    way = reasons.way_of(reason, Named())
    assert (way and way.path) == path


@pytest.mark.parametrize(
    ("reason", "path"),
    [
        ("paused", "/ui/connections?health=paused"),
        ("crash_loop", "/ui/connections?health=blocked"),
        ("reconnect_required", "/ui/connections?health=reconnect_required"),
        ("nothing_to_refresh_with", "/ui/connections?health=blocked"),
        ("mid_oauth", "/ui/connect"),
    ],
)
def test_of_many_the_list_is_shown(reason: str, path: str) -> None:
    """What is one connection's page for one is a list for many."""
    way = reasons.way(reason, provider="acme")
    assert way is not None
    assert way.path == path


def test_only_apps_are_a_page_for_keys_of_all_organizations() -> None:
    """Whoever links there asks first whose key it is."""
    assert [r for r, way in reasons.WAYS.items() if way.for_everybody] == [
        ParkReason.APP_NOT_CONFIGURED
    ]
    assert reasons.way("app_not_configured", provider="acme") == Way(
        "/ui/apps/acme/default", "Store the app", for_everybody=True
    )


@pytest.mark.parametrize("reason", ParkReason)
def test_each_reason_has_a_mend_that_can_be_copied(reason: ParkReason) -> None:
    """No placeholder is left in a command."""
    said = reasons.mend_of(reason, Named())
    assert said
    assert "{" not in said


def test_an_unknown_reason_has_no_mend() -> None:
    """Nothing is made up about a reason of a newer version."""
    assert reasons.mend("unheard_of") is None


def test_sentences_of_an_unread_answer_write_instants_as_they_are_told_to() -> None:
    """Who shows them says how; what is kept no more is told as well."""
    kept = Kept()
    said = [*reasons.of_unread(kept.id, kept, "at {:%H:%M}".format)]
    assert said[0].startswith(f"The provider answered at at {NOW:%H:%M} and we could not read it")
    assert "1 byte)" in said[1]
    assert "unreadable" in reasons.hope_of_unread(kept, str)
    assert "not kept any more" in " ".join(reasons.of_unread(kept.id, None, str))
