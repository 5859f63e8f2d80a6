"""Clears away the coverage data of processes that were killed with -9 while they wrote it.

Such a file is empty or cut off. Combining it would be a complaint in every run, and tells nobody
anything: what a process did that was killed is not measured.
"""

import sqlite3
from contextlib import closing
from pathlib import Path


def remove_unfinished(folder: Path) -> list[str]:
    """Removes what cannot be read among `.coverage.*` of this folder; returns the names."""
    removed = []
    for file in sorted(folder.glob(".coverage.*")):
        if file.name.endswith("-journal") or not _is_whole(file):
            file.unlink(missing_ok=True)
            removed.append(file.name)
    return removed


def _is_whole(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as data:
            return bool(data.execute("select count(*) from coverage_schema").fetchone()[0])
    except sqlite3.Error:
        return False
