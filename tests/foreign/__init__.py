"""Entries of the catalogue's language against OAuth servers that we did not write.

Those of Node come out of npm: `make foreign` fetches them, and `make test` does without. Authlib comes
with the development environment. Each server is a process of its own (`programs.py`); refresher's
services are real, on a real PostgreSQL, and send real requests.
"""
