"""The record of every token request that reached the server: fingerprints, never a token.

No Django here: the server appends (recorder.py), the harness reads.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One token request and its answer.

    `at` is when it arrived (Unix time); the line is written before the answer leaves, so a client
    that holds the answer finds the line.
    """

    at: float
    refresh_token: str | None
    status: int
    error: str | None
    issued_refresh_token: str | None
    issued_access_token: str | None


class RequestLog:
    """Appends token requests to a file, one object a line, from several threads."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._stream = file.open("a", encoding="utf-8")

    def append(self, request: TokenRequest) -> None:
        """Writes one line and flushes it, so that no line is lost when the process is killed."""
        line = json.dumps(asdict(request)) + "\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


def fingerprint(token: str | None) -> str | None:
    """Returns 16 hexadecimal digits that name a token without giving it away."""
    return hashlib.sha256(token.encode()).hexdigest()[:16] if token else None


def read(file: Path) -> list[TokenRequest]:
    """Returns what was recorded so far, in the order of the answers.

    A last line that is still being written is left for the next read.
    """
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    return [TokenRequest(**json.loads(line)) for line in lines]


def presented_twice(requests: Iterable[TokenRequest]) -> int:
    """Counts the refresh tokens that reached the server more than once, whatever it answered."""
    presented = Counter(request.refresh_token for request in requests if request.refresh_token)
    return sum(times > 1 for times in presented.values())
