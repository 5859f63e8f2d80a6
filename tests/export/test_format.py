"""Files of a format that was once given out stay readable; what is tampered with does not open."""

from __future__ import annotations

from pathlib import Path

import pytest

from refresher.errors import CannotDecrypt, SettingsError
from refresher.rules.connection import Secret
from refresher.runtime.receiving_key import ReceivingKey, private_key, public_key
from tests.export.kit import KEY, exported, health, imported, stands, values
from tests.world import World

GOLDEN = Path(__file__).parent.parent / "golden"
"""An export of one connection of each kind, made when format 1 was; its tokens are invented."""


def test_a_file_of_format_1_is_read(there: World):
    """Every line of it, its tokens too."""
    lines = (GOLDEN / "export-1.jsonl").read_bytes().splitlines(keepends=True)
    key = private_key((GOLDEN / "export-1.key").read_text())
    came = imported(there, lines, key)
    assert (came.rejected, came.counts.created, came.is_whole) == ({}, 11, True)
    stand = stands(there)
    assert stand["odd"]["refresh_token"] == "refresh-of-odd"
    assert stand["slotted"]["slots"]["user"]["refresh_token"] == "user-r-1"
    assert stand["kept"]["kept_secrets"] == {"id_token": "canary-id"}
    assert {name: word for name, word in health(there).items() if word != "fresh"} == {
        "both": "disabled",
        "connecting": "connecting",
        "dead": "reconnect_required",
        "disabled": "disabled",
        "endless": "blocked",
        "hosted": "blocked",
        "paused": "paused",
    }


def test_what_is_written_today_has_the_fields_of_format_1(here: World):
    """A field that is added or renamed is a change of the format: say so, and write the file anew."""
    before = values((GOLDEN / "export-1.jsonl").read_bytes().splitlines())
    after = [v for v in values(exported(here)) if v.get("external_id") != "long"]
    shapes = [{v.get("external_id", ""): sorted(v) for v in found} for found in (before, after)]
    assert shapes[0] == shapes[1]


def test_half_an_export_is_said(here: World, there: World):
    """Cut at the end of a line, where nothing else tells; or a line taken out."""
    lines = exported(here)
    assert not imported(there, lines[:-1]).is_whole
    assert not imported(there, [*lines[:3], *lines[4:]]).is_whole


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no private key stands there"),
        (KEY.public.text, "that is the public key"),
        (KEY.text.reveal()[:-3], "no private key stands there"),
        ("refresher-private-key-1:é", "no private key stands there"),
    ],
    ids=["empty", "public", "cut", "odd"],
)
def test_what_is_no_private_key_is_refused_and_not_shown(text: str, sentence: str):
    """In one sentence that names what makes a good one."""
    with pytest.raises(SettingsError, match=sentence) as refused:
        private_key(text)
    assert KEY.text.reveal()[-20:-3] not in str(refused.value)


def test_a_pair_of_keys_is_two_lines_of_text():
    """Comments and blank lines aside; neither shows the private one by accident."""
    again = private_key(f"# kept by Ann\n\n  {KEY.text.reveal()}\n")
    assert again.public.id == KEY.public.id == public_key(KEY.public.text).id
    assert KEY.text.reveal() not in repr(KEY)


def test_a_seal_opens_with_its_key_in_its_place_alone():
    """Neither with another key, nor elsewhere, nor cut or changed."""
    seal = KEY.public.seal(Secret("token"), b"here")
    assert KEY.open(seal, b"here") == Secret("token")
    cases = [(ReceivingKey.new(), seal, b"here"), (KEY, seal, b"there"), (KEY, seal[:-4], b"here")]
    for key, sealed, place in [*cases, (KEY, "A" + seal[1:-1] + "A", b"here"), (KEY, "", b"here")]:
        with pytest.raises(
            CannotDecrypt, match="the line was changed, cut, or is of another export"
        ):
            key.open(sealed, place)
