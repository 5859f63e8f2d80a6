"""The guard's process: `python -m refresher.embedded DIRECTORY`. See guard.py; not for people."""

import sys
from pathlib import Path

from refresher.embedded import guard

guard.main(Path(sys.argv[1]))
