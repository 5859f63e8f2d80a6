"""Three routes for a web application of FastAPI, Flask or Django: connect, come back, hear of it.

`refresher.contrib.fastapi`, `.flask` and `.django` each have an `Accounts`; what they share, without a
framework, is `core.py` and `hooks.py`. docs/frameworks.md.
"""
