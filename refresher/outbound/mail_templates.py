"""Renders mails from Jinja2 templates: ours, or those of the user's folder where it has the same name.

    plain.subject  plain.txt  plain.html      one notice
    digest.subject digest.txt digest.html     several
    layout.html    words.html                 what the HTML ones share

HTML is escaped by itself. A template of the user that does not render is told, and the built-in one
takes its place: a notice is never lost to a typing error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from refresher.outbound.mail import one_line

if TYPE_CHECKING:
    from jinja2 import Environment

log = structlog.get_logger()
PARTS = ("subject", "txt", "html")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's words; `replaced` names templates of the user that did not render."""

    subject: str
    text: str
    html: str
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """A template of the user that does not render, and why."""

    template: str
    why: str


class Renderer:
    """Renders with the user's templates, and with ours where one of those fails."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def render(self, form: str, values: Mapping[str, object]) -> Rendered:
        """Returns a mail of this form (plain, digest). Never fails because of the user's templates."""
        faults: list[TemplateFault] = []
        subject, text, html = (
            self._part(f"{form}.{part}", values, faults.append) for part in PARTS
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
                self._part(f"{form}.{part}", values, found.append)
        return found

    def _part(
        self, name: str, values: Mapping[str, object], tell: Callable[[TemplateFault], None]
    ) -> str:
        if self._own is not None:
            try:
                return self._own.get_template(name).render(values)
            except Exception as error:  # noqa: BLE001  a template runs code: anything may come of it
                line = getattr(error, "lineno", None)
                where = f" (line {line})" if line else ""
                why = str(error).splitlines()[0] if str(error) else type(error).__name__
                tell(TemplateFault(name, f"{why}{where}"))
        return self._built_in.get_template(name).render(values)

    @cached_property
    def _built_in(self) -> Environment:
        return _environment(None)

    @cached_property
    def _own(self) -> Environment | None:
        return _environment(self._folder) if self._folder is not None else None


def _environment(folder: Path | None) -> Environment:
    """Returns what renders ours, or the user's in front of ours. Jinja2 is loaded for a mail only."""
    from jinja2 import (  # noqa: PLC0415
        ChoiceLoader,
        FileSystemLoader,
        PackageLoader,
        StrictUndefined,
        select_autoescape,
    )
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    ours = PackageLoader("refresher.outbound")
    return ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder), ours]) if folder else ours,
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
