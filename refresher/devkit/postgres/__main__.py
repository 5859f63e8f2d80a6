"""The guard's process: `python -m refresher.devkit.postgres DIRECTORY`; not for people (guard.py)."""

import sys
from pathlib import Path

from refresher.devkit.postgres import guard

guard.main(Path(sys.argv[1]))
