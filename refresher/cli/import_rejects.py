"""Where the lines go that an import does not take: a file beside the source, for its owner alone."""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from pathlib import Path
from typing import BinaryIO

import orjson

from refresher.cli.import_run import ImportLine
from refresher.cli.output import WrongUse

MOST_SHOWN = 20
SUFFIX = ".rejects.jsonl"
FROM_STDIN = "stdin"


class Rejects:
    """The rejects file of one import; it comes into being with the first reject.

    One JSON object a line: `line`, `reason`, and the original as `input`; or as `input_base64` where
    it is not UTF-8; `cut` where only the beginning of an endless line is kept.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self.path = path
        self._append = append
        self.count = 0
        self._file: BinaryIO | None = None

    def add(self, line: ImportLine, reason: str) -> None:
        """Writes one rejected line."""
        if self._file is None:
            self._file = self._open()
        self.count += 1
        self._file.write(orjson.dumps(_entry(line, reason)) + b"\n")

    def close(self) -> None:
        """Ends the file. The one of an earlier import is removed when this had nothing to reject."""
        if self._file is not None:
            self._file.close()
        elif self.path.name.endswith(SUFFIX) and not self._append:
            self.path.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        how = os.O_APPEND if self._append else os.O_TRUNC
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | how, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)  # it holds tokens, also when it was there before
        return os.fdopen(descriptor, "wb")


def rejects_path(given: Path | None, source: Path | None) -> Path:
    """Returns where rejects go: the path given, else beside the source; refuses what cannot be."""
    path = given or Path(f"{source or FROM_STDIN}{SUFFIX}")
    if source is not None and path.exists() and path.samefile(source):
        raise WrongUse(f"--rejects names {path}, which is the file to import")
    if path.is_dir():
        raise WrongUse(f"--rejects names {path}, which is a directory")
    wanted = path if path.exists() else path.parent
    if not os.access(wanted, os.W_OK):
        raise WrongUse(
            f"{wanted} cannot be written to: name a rejects file elsewhere with --rejects"
        )
    return path


def _entry(line: ImportLine, reason: str) -> dict[str, object]:
    entry: dict[str, object] = {"line": line.number, "reason": reason}
    try:
        entry["input"] = line.raw.decode()
    except UnicodeDecodeError:
        entry["input_base64"] = b64encode(line.raw).decode()
    return entry | ({"cut": True} if line.cut else {})
