"""The pages on which a person connects an account: no key, no script, nothing from elsewhere.

Reading order: app.py (routes, and every ending a page), visits.py (what each route does), pages.py
(what they look like, and their headers), gate.py (how often).
"""
