"""A real OAuth authorization server for acceptance tests: django-oauth-toolkit, not written here.

It runs as a process of its own. Only settings, urls, recorder, seed and __main__ belong to that
process and may import Django; tests import harness.AuthServer, which starts it.
"""
