"""How long each page of the dashboard takes beside millions of connections; see `__main__.py`."""
