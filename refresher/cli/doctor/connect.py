"""Checks what people connect by: the pages, as far as they are the operator's own."""

from __future__ import annotations

from collections.abc import Iterator

from refresher.cli.doctor import Finding, warn
from refresher.settings import Settings


def check(settings: Settings) -> Iterator[Finding]:
    """Yields findings on the pages of consents; nothing at all where they are ours."""
    if not settings.connect or settings.connect_templates is None:
        return
    from refresher.web.connect.pages import Pages  # noqa: PLC0415  only for who has pages of his own

    for fault in Pages(settings.connect_name, settings.connect_templates).faults():
        yield warn(
            "connect templates",
            f"{fault.template} does not render: {fault.why}",
            "mend it; until then the built-in one is used",
        )
