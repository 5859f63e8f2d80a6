"""The guard's process: `python -m refresher.devkit.postgres DIRECTORY`; not for people (server.py)."""

import sys
from pathlib import Path

from refresher.devkit.postgres.server import guard

guard(Path(sys.argv[1]))
