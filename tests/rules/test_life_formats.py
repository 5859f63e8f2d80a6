"""The format of a life: where an entry names it nothing is guessed, but for what does not fit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from refresher.rules.answers import read_grant
from refresher.rules.policy import lifetime
from refresher.rules.providers import LifeFormat
from refresher.rules.registration import answered, read
from tests.rules.samples import DAY, EPOCH, HOUR, NAMED, NOW, jwt, provider

ISO = (NOW + timedelta(hours=1)).isoformat()
TOLD = [
    ("seconds", 3_600, HOUR),
    ("seconds", "3600", HOUR),
    ("seconds", 3_600_000, 3_600_000.0),  # no thousandth, although an hour is documented
    ("seconds", EPOCH + HOUR, HOUR),  # ten years are no life: an instant, as ever
    ("milliseconds", 3_600_000, HOUR),
    ("milliseconds", 500, 0.5),
    ("minutes", 60, HOUR),
    ("minutes", "60.0", HOUR),
    ("minutes", -1, 0.0),
    ("epoch", EPOCH + HOUR, HOUR),
    ("epoch", str(int(EPOCH + HOUR)), HOUR),
    ("epoch", EPOCH - 5, 0.0),
    ("epoch", 3_600, HOUR),  # no instant near our time: seconds, as ever
    ("epoch", 0, None),
    ("epoch_milliseconds", (EPOCH + HOUR) * 1_000, HOUR),
    ("epoch_milliseconds", EPOCH + HOUR, HOUR),
    ("iso8601", ISO, HOUR),
    ("iso8601", ISO.removesuffix("+00:00"), HOUR),
    ("iso8601", "3600", HOUR),
    ("iso8601", 3_600, HOUR),
    ("jwt", 3_600, HOUR),
    ("minutes", "soon", None),
    ("minutes", "1e999", None),
    ("minutes", True, None),
    ("minutes", [60], None),
    ("minutes", 10**400, None),
]


@pytest.mark.parametrize(("form", "value", "life"), TOLD)
def test_a_life_is_read_in_the_format_that_the_entry_names(
    form: LifeFormat, value: object, life: float | None
) -> None:
    """What does not fit the format is read as without one."""
    of = provider(
        access_token_lifetime_fields=("ends",),
        access_token_lifetime_format=form,
        access_token_lifetime_seconds=HOUR,
    )
    grant = read_grant(of, {"access_token": "a", "ends": value}, EPOCH)
    assert grant is not None
    assert grant.expires_in_seconds == (life if life is None else pytest.approx(life))


def test_an_instant_without_its_zone_is_believed_where_instants_are_said_to_come() -> None:
    """It is the entry's word that it is UTC: so it counts beside another life, too."""
    told = {"access_token": "a", "expires_in": 7_200, "expires_at": ISO.removesuffix("+00:00")}
    of = provider(access_token_lifetime_format="iso8601")
    grant, usual = read_grant(of, told, EPOCH), read_grant(provider(), told, EPOCH)
    assert grant is not None
    assert usual is not None
    assert (grant.expires_in_seconds, usual.expires_in_seconds) == (HOUR, 2 * HOUR)


@pytest.mark.parametrize(
    ("form", "value", "end", "endless"),
    [
        ("minutes", 1_440, DAY, False),
        ("epoch", EPOCH + DAY, DAY, False),
        ("epoch", 0, None, True),
        ("milliseconds", "never", None, False),
        ("auto", 60, 60.0, False),
        ("jwt", 60, 60.0, False),
    ],
)
def test_a_refresh_token_s_end_has_a_format_too(
    form: LifeFormat, value: object, end: float | None, endless: bool
) -> None:
    """Zero is no end of it in each of them."""
    of = provider(refresh_token_lifetime_format=form)
    told = {"access_token": "a", "refresh_token": "r", "refresh_token_expires_in": value}
    grant = read_grant(of, told, EPOCH)
    assert grant is not None
    assert grant.refresh_token_expires_in_seconds == end
    assert grant.refresh_token_is_endless is endless


def test_a_jwt_tells_of_itself_and_no_field_beside_it() -> None:
    """Where the format says so: a field may be another token's."""
    of = provider(access_token_lifetime_format="jwt", refresh_token_lifetime_format="jwt")
    told = {
        "access_token": jwt({"exp": EPOCH + HOUR}),
        "refresh_token": jwt({"exp": EPOCH + DAY}),
        "expires_in": 60,
        "refresh_token_expires_in": 0,
    }
    grant = read_grant(of, told, EPOCH)
    assert grant is not None
    assert (grant.expires_in_seconds, grant.in_token_seconds) == (None, HOUR)
    assert (grant.refresh_token_expires_in_seconds, grant.refresh_token_is_endless) == (DAY, False)


@pytest.mark.parametrize(("form", "life"), [("auto", HOUR), ("seconds", 1_000 * HOUR)])
def test_a_thousand_times_the_last_life_is_what_the_format_says(
    form: LifeFormat, life: float
) -> None:
    """Only who does not know the format takes it for milliseconds."""
    of = provider(access_token_lifetime_format=form)
    assert lifetime(1_000 * HOUR, None, HOUR, of) == life


@pytest.mark.parametrize(
    ("fields", "form", "value", "end"),
    [
        (("hard",), "auto", DAY, DAY),
        (("hard",), "epoch", EPOCH + DAY, DAY),
        (("hard",), "auto", "never", None),
        (("other",), "auto", DAY, None),
        ((), "auto", DAY, None),
    ],
)
def test_the_end_of_a_grant_is_told_in_fields_of_its_own(
    fields: tuple[str, ...], form: LifeFormat, value: object, end: float | None
) -> None:
    """Beside the end that slides, and in the same format."""
    of = provider(refresh_token_absolute_fields=fields, refresh_token_lifetime_format=form)
    told = {"access_token": "a", "refresh_token": "r", "hard": value}
    grant = read_grant(of, told, EPOCH)
    assert grant is not None
    assert grant.grant_expires_in_seconds == end
    assert grant.refresh_token_expires_in_seconds is None


@pytest.mark.parametrize(
    ("answer", "absolute", "ends"),
    [
        ({"refresh_token": "r"}, 90 * DAY, (90 * DAY, 90 * DAY)),
        ({"refresh_token": "r", "refresh_token_expires_in": DAY}, 90 * DAY, (DAY, 90 * DAY)),
        ({"refresh_token": "r", "hard": 2 * DAY}, 90 * DAY, (2 * DAY, 2 * DAY)),
        ({"refresh_token": "r"}, None, (None, None)),
        ({}, 90 * DAY, (None, None)),
    ],
)
def test_an_answer_that_is_handed_in_is_a_consent_s(
    answer: dict[str, object], absolute: float | None, ends: tuple[float | None, float | None]
) -> None:
    """The second end counts from it; what is stored of the refresh token is the nearer end."""
    of = provider(refresh_token_absolute_fields=("hard",), refresh_token_absolute_seconds=absolute)
    new = answered(read({**NAMED, "answer": {"access_token": "a", **answer}}), of, EPOCH)
    assert (new.refresh_token_expires_in_seconds, new.grant_ends_in_seconds) == ends
