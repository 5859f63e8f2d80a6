"""Renders mails from Jinja2 templates: ours, or those of the user's folder where it has the same name.

plain.subject  plain.txt  plain.html      one notice
digest.subject digest.txt digest.html     several
layout.html                               what the HTML ones share
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from refresher.outbound.mail import one_line
from refresher.outbound.rendering import TemplateFault, Templates

log = structlog.get_logger()
PARTS = ("subject", "txt", "html")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's words; `replaced` names templates of the user that did not render."""

    subject: str
    text: str
    html: str
    replaced: tuple[str, ...] = ()


class Renderer:
    """Renders with the user's templates, and with ours where one of those fails."""

    def __init__(self, folder: Path | None = None) -> None:
        self._templates = Templates("refresher.outbound", folder)

    def render(self, form: str, values: Mapping[str, object]) -> Rendered:
        """Returns a mail of this form (plain, digest). Never fails because of the user's templates."""
        faults: list[TemplateFault] = []
        subject, text, html = (
            self._templates.render(f"{form}.{part}", values, faults.append) for part in PARTS
        )
        for fault in faults:
            log.error(
                "a mail template does not render; the built-in one is used",
                template=fault.template,
                why=fault.why,
            )
        return Rendered(one_line(subject), text, html, tuple(f.template for f in faults))

    def faults(self, samples: Mapping[str, Mapping[str, object]]) -> list[TemplateFault]:
        """Returns what is wrong with the user's templates, tried with sample values for each form."""
        found: list[TemplateFault] = []
        for form, values in samples.items():
            for part in PARTS:
                self._templates.render(f"{form}.{part}", values, found.append)
        return found
