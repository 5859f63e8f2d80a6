"""The side that people see: who consents, what a callback brings, what a code is good for.

Reading order: `options.py` (how it behaves), `request.py` (what an application asks), `routes.py`
(pages and redirects), `callback.py`, `codes.py` and `exchange.py` (what a code gives), `identity.py`.
"""
