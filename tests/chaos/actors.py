"""The worker of the chaos suite: refresher's own actors, and triggers that the harness arms."""

import os
from pathlib import Path

from refresher.testing.triggers import Triggers

Triggers(Path(os.environ["CHAOS_TRIGGERS"])).listen()

from refresher import actors  # noqa: E402, F401  what `dramatiq` runs
