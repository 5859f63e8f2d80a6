"""Tests of the HTTP API, in this process, over the real ASGI application."""
