"""Keeps every stored OAuth connection's access token fresh."""

__version__ = "0.1.0"
