"""The server as an entry of the catalogue says that the provider behaves: `FakeProvider.of(entry)`.

Written from what `Provider`'s fields mean, and on purpose not with the rules that build our requests
and read answers (`rules/requests.py`, `rules/answers.py`): two readings of one entry prove something
about each other. Reading order: `places.py` (URLs and values with placeholders), `request.py` (what
came), `decision.py` (what follows), `answer.py` (how it is said), `fields.py` (what is played at all).
"""

from refresher.devkit.oauth_server.entry.fields import unplayable
from refresher.devkit.oauth_server.entry.manner import Manner

__all__ = ["Manner", "unplayable"]
