"""The HTTP API, `python -m refresher.web`: only HTTP lives here; what is done is done elsewhere.

FastAPI serves it, but for the token route. To add operations, write a module with a router of
`ApiRoute`s, and add it to `app.ROUTERS`; `openapi.toml` says what its fields mean.
Reading order: app.py, routes.py (what happens to every request), tokens.py, connections.py.
"""
