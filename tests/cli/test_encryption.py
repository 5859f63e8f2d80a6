"""`refresher encryption rotate` and `status`, and keys that come from a file."""

from __future__ import annotations

import pytest

from refresher.runtime.cipher import key_id, new_key, parse_key
from tests.cli.kit import Cli


def ids_of(*keys: str) -> list[str]:
    """The ids of keys."""
    return [key_id(parse_key(key)).hex() for key in keys]


def test_a_rotation_from_the_command_line(cli: Cli):
    """Status names the key that is still needed; after the rotation it says that it can go."""
    old, new = cli.env["REFRESHER_ENCRYPTION_KEYS"], new_key()
    cli.connect("c1", "c2")
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = f"{new},{old}"
    before = cli("encryption", "status", "--json").json

    ran = cli("encryption", "rotate", "--json")

    assert ran.code == 0
    after = cli("encryption", "status", "--json").json
    assert {line["key_id"] for line in before["values"]} == set(ids_of(old))
    assert {line["role"] for line in before["values"]} == {"opens"}
    assert before["unneeded"] == []
    assert ran.json["resealed"] == 3  # and the app's
    assert ran.json["complete"] is True
    assert ran.json["unopenable"] == []
    assert after["unneeded"] == ids_of(old)
    assert {line["role"] for line in after["values"]} == {"seals"}
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = new
    assert cli("token", "c1").stdout.strip() == "access-of-c1"


def test_people_are_told_what_to_do_next(cli: Cli):
    """Both commands end with the next step, and no key is ever printed."""
    old, new = cli.env["REFRESHER_ENCRYPTION_KEYS"], new_key()
    cli.connect("c1")
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = f"{new},{old}"

    before, ran = cli("encryption", "status"), cli("encryption", "rotate")

    assert "refresher encryption rotate" in before.stderr
    assert "take it away everywhere" in ran.stderr
    for text in (before.stdout, before.stderr, ran.stdout, ran.stderr):
        assert old not in text
        assert new not in text


def test_a_lost_key_is_no_failure(cli: Cli):
    """Rows that no key opens are told with their ids, and the command ends well."""
    cli.connect("c1")
    lost, cli.env["REFRESHER_ENCRYPTION_KEYS"] = (
        ids_of(cli.env["REFRESHER_ENCRYPTION_KEYS"]),
        new_key(),
    )

    ran, told = cli("encryption", "rotate", "--json"), cli("encryption", "rotate")

    assert ran.code == told.code == 0
    assert [row["table"] for row in ran.json["unopenable"]] == ["app", "connection"]
    assert f"sealed with key {lost[0]}" in told.stderr
    assert "put it behind the first one" in cli("encryption", "status").stderr


def test_keys_come_from_a_file(cli: Cli):
    """A file of keys counts like the variable: one a line, comments and commas allowed."""
    old, new = cli.env.pop("REFRESHER_ENCRYPTION_KEYS"), new_key()
    path = cli.folder / "keys"
    path.write_text(f"# the new one first\n{new}\n\n{old}, \n")
    path.chmod(0o600)
    cli.env["REFRESHER_ENCRYPTION_KEYS_FILE"] = str(path)
    cli.connect("c1")

    assert cli("encryption", "status", "--json").json["keys"] == ids_of(new, old)
    assert cli("token", "c1").stdout.strip() == "access-of-c1"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file"),
        (b"", "holds no key"),
        (b"# only\n,\n", "holds no key"),
        (b"\xff\xfe\x00", "is not a text file"),
        (b"s3cr3t\n", "not 32 bytes in base64"),
    ],
)
def test_a_bad_file_of_keys_is_refused_in_a_sentence(
    cli: Cli, content: bytes | None, sentence: str
):
    """The sentence names what is wrong, and shows nothing of the file."""
    del cli.env["REFRESHER_ENCRYPTION_KEYS"]
    path = cli.folder / "keys"
    if content is not None:
        path.write_bytes(content)
    cli.env["REFRESHER_ENCRYPTION_KEYS_FILE"] = str(path)

    ran = cli.process("encryption", "status")

    ran.refused(sentence)
    assert "s3cr3t" not in ran.stderr


def test_keys_in_two_places_are_refused(cli: Cli):
    """Which of the two counted would be a guess."""
    cli.env["REFRESHER_ENCRYPTION_KEYS_FILE"] = "keys"

    cli.process("encryption", "status").refused(
        "REFRESHER_ENCRYPTION_KEYS and REFRESHER_ENCRYPTION_KEYS_FILE are both set"
    )


def test_doctor_warns_of_a_file_that_others_can_read(cli: Cli):
    """A file of keys is its owner's business."""
    path = cli.folder / "keys"
    path.write_text(cli.env.pop("REFRESHER_ENCRYPTION_KEYS"))
    cli.env["REFRESHER_ENCRYPTION_KEYS_FILE"] = str(path)
    levels = []
    for mode in (0o644, 0o640, 0o400):
        path.chmod(mode)
        findings = cli("doctor", "--json").json["findings"]
        levels += [finding["level"] for finding in findings if finding["check"] == "keys"]

    assert levels == ["warn", "ok", "ok"]
