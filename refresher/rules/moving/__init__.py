"""Moving in: rows of other systems become import lines. Pure.

`names.py` has the systems and what they call providers, `theirs.py` how their values are read; readers
(`nango.py`, `composio.py`, `accounts.py`) say what a row is, and `mover.py` makes a line of it.
"""

from refresher.rules.moving.mover import Mover, Wishes
from refresher.rules.moving.names import System

__all__ = ["Mover", "System", "Wishes"]
