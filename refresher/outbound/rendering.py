"""Renders Jinja2 templates of ours, or those of the user's folder where it has the same name.

HTML is escaped by itself. A template of the user that does not render is told, and ours takes its
place: neither a notice nor a page is lost to a typing error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """A template of the user that does not render, and why."""

    template: str
    why: str


class Templates:
    """The folder `templates` of one package of ours, and the user's in front of it."""

    def __init__(self, package: str, folder: Path | None = None) -> None:
        self._package, self._folder = package, folder

    def render(
        self, name: str, values: Mapping[str, object], tell: Callable[[TemplateFault], None]
    ) -> str:
        """Returns the text of one template. Never fails because of the user's."""
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
        return _environment(self._package, None)

    @cached_property
    def _own(self) -> Environment | None:
        return _environment(self._package, self._folder) if self._folder is not None else None


def _environment(package: str, folder: Path | None) -> Environment:
    """Returns what renders. Jinja2 is loaded when something is to be rendered."""
    from jinja2 import (  # noqa: PLC0415
        ChoiceLoader,
        FileSystemLoader,
        PackageLoader,
        StrictUndefined,
        select_autoescape,
    )
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    ours = PackageLoader(package)
    return ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder), ours]) if folder else ours,
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
