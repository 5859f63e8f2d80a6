"""What a look is taken with: less than all services, so that who only looks needs no key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from refresher.catalogue import Catalogue
from refresher.settings import Settings
from refresher.store.session import Database


class Seeing(Protocol):
    """What `Services` and `Sight` both have."""

    @property
    def settings(self) -> Settings:
        """The settings."""

    @property
    def database(self) -> Database:
        """The database."""

    @property
    def catalogue(self) -> Catalogue:
        """The providers."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Enough to look."""

    settings: Settings
    database: Database
    catalogue: Catalogue
