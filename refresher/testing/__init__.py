"""Helpers for the tests of applications that use refresher.

Never imported by production code. `fake_provider` is a whole OAuth 2.0 authorization server with
faults and a ledger, for tests that should talk to a real socket.
"""
