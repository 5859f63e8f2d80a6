"""How well two colours of a style sheet are told apart (WCAG 2.2, relative luminance)."""

from __future__ import annotations

import re


def colours(style: str) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the colours by name, as they are by day and by night."""
    light, _, dark = style.partition("prefers-color-scheme: dark")
    by_day = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", light))
    return by_day, by_day | dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", dark))


def contrast(one: str, other: str) -> float:
    """Returns the contrast of two colours, from 1 to 21."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
