"""By which link an account is connected again."""

import pytest

from refresher.rules.ways_back import ByPage, ByProgram, BySession, WayBack, way_back

VALUES = {"external_id": "a b", "connection_id": 7, "provider": "acme", "organization_id": None}
PAGE = "https://app.example/{provider}/{external_id}?o={organization_id}"
WHY = "Its entry has no [connect]."


@pytest.mark.parametrize(
    ("why_not", "templates", "expected"),
    [
        (None, (PAGE, None), BySession()),
        (WHY, (PAGE, None), ByPage("https://app.example/acme/a%20b?o=", WHY)),
        (WHY, (None, "https://all.example/"), ByPage("https://all.example/", WHY)),
        (WHY, (PAGE, "https://all.example/"), ByPage("https://app.example/acme/a%20b?o=", WHY)),
        (WHY, ("https://{provider}.example/", None), ByProgram(WHY)),
        (
            WHY,
            ("https://{provider}.example/", PAGE),
            ByPage("https://app.example/acme/a%20b?o=", WHY),
        ),
        (WHY, (None, None), ByProgram(WHY)),
    ],
)
def test_the_way_back(
    why_not: str | None, templates: tuple[str | None, ...], expected: WayBack
) -> None:
    """A consent here, else the page of the organization, else the installation's, else a program."""
    assert way_back(why_not, templates, VALUES) == expected
