"""The HTTP API, `python -m refresher.web`: only HTTP lives here; what is done is done elsewhere.

`table.py` lists every route once; from it come the Starlette routes, the OpenAPI document and the page
`/docs`. To add routes, write a module with a list of `Route`, and add that list to `table.ROUTES`.
Reading order: table.py, endpoint.py (what happens to every request), tokens.py, connections.py.
"""
