"""The dashboard: pages under `/ui`, made on the server, for people with a session.

A page is a module of `pages/` with its `ROUTES`; `app.py` is the way of every request.
"""
