"""The web process as it is run, with triggers that a test arms."""

import os
import sys
from pathlib import Path

from refresher.testing.triggers import Triggers
from refresher.web.__main__ import main

if __name__ == "__main__":
    Triggers(Path(os.environ["CONNECT_TRIGGERS"])).listen()
    sys.exit(main(()))
