"""The development key: who may read it, and what it says."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from refresher.devkit.foundation import (
    KEY_FILE,
    development_key,
    own_directory,
)
from refresher.errors import SettingsError
from refresher.runtime.cipher import parse_key


def mode(path):
    """The permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path):
    """The first call makes a good key with mode 0600, and every later one returns it."""
    # When
    first, second = development_key(tmp_path / "new"), development_key(tmp_path / "new")
    # Then
    assert first == second
    assert len(parse_key(first)) == 32
    assert mode(tmp_path / "new" / KEY_FILE) == 0o600
    assert mode(tmp_path / "new") == 0o700


def test_two_that_make_the_key_at_once_get_the_same(tmp_path):
    """However many processes start at once, one key is made and nothing else is left behind."""
    # When
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: development_key(tmp_path), range(32)))
    # Then
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o660, 0o620, 0o644])
def test_a_key_that_others_may_read_or_write_is_refused(tmp_path, open_to):
    """A key file open to group or others is refused in a sentence that says how to close it."""
    # Given
    key = development_key(tmp_path)
    (tmp_path / KEY_FILE).chmod(open_to)
    # When
    with pytest.raises(SettingsError) as refused:
        development_key(tmp_path)
    # Then
    assert "chmod 600" in str(refused.value)
    assert key not in str(refused.value)


@pytest.mark.parametrize("content", ["", "not a key\n", "\xff\xfe"])
def test_a_file_without_a_key_is_refused(tmp_path, content):
    """A damaged key file is refused, not replaced: the right key may still exist somewhere."""
    # Given
    path = tmp_path / KEY_FILE
    path.write_bytes(content.encode("latin-1"))
    path.chmod(0o600)
    # When, then
    with pytest.raises(SettingsError, match="holds no key"):
        development_key(tmp_path)
    assert path.read_bytes() == content.encode("latin-1")


def test_a_folder_that_cannot_be_used_is_told(tmp_path):
    """A data directory that is a file is one sentence, not a traceback."""
    # Given
    (tmp_path / "file").write_text("")
    # When, then
    with pytest.raises(SettingsError, match="REFRESHER_DATA_DIRECTORY"):
        development_key(tmp_path / "file" / "below")


def test_a_new_folder_is_hidden_from_git_and_an_old_one_left_alone(tmp_path):
    """Git does not see a key in a folder of ours; a folder that exists gets no .gitignore."""
    # When
    own_directory(tmp_path / "new")
    own_directory(tmp_path)
    # Then
    assert (tmp_path / "new" / ".gitignore").read_text() == "*\n"
    assert not (tmp_path / ".gitignore").exists()
