"""Provider facts as dated data: one TOML file each in `providers/`, and the user's file over them.

`load()` is the way in. What a `Provider` is: `rules/providers.py`. How a file is read and refused:
`user_file.py` and `loader.py`, then `tables.py` and `checks.py`. A new provider needs no code, but a
file.
"""

from refresher.catalogue.apps import checked_app
from refresher.catalogue.entries import AppEntry, Broken, Catalogue, Origin, Unusable
from refresher.catalogue.inspection import check, check_secrets, describe
from refresher.catalogue.loader import load

__all__ = [
    "AppEntry",
    "Broken",
    "Catalogue",
    "Origin",
    "Unusable",
    "check",
    "check_secrets",
    "checked_app",
    "describe",
    "load",
]
