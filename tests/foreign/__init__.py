"""Entries of the catalogue's language against OAuth servers that we did not write.

They come out of npm: `make foreign` fetches them, and `make test` does without. Each is a process of
its own (`programs.py`); refresher's services are real, on a real PostgreSQL, and send real requests.
"""
