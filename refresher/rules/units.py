"""Numbers and lengths of time as people write them: 5 ms, 12 min, 60 days, 15552000."""

from __future__ import annotations


def span(seconds: float) -> str:
    """Returns a length of time as people say it: 5 ms, 45 s, 12 min, 3.5 h, 60 days."""
    if seconds < 0.9995:
        return f"{seconds * 1_000:.0f} ms" if seconds >= 0.0005 else "<1 ms"
    for size, unit in ((86_400 * 2, "days"), (7_200, "h"), (120, "min")):
        if seconds >= size:
            return f"{_rounded(seconds / (size / 2))} {unit}"
    return f"{_rounded(seconds)} s"


def number(value: float) -> str:
    """Returns a number as people write it: 15552000, 0.2, never 15552000.0 or 1.5552e+07."""
    text = f"{value:.15g}"
    return f"{value:.0f}" if "e+" in text else text


def _rounded(value: float) -> str:
    return f"{value:.2g}" if value < 9.95 else f"{value:.0f}"
