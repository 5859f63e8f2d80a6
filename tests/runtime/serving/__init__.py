"""Sockets, limits and pages of every process that listens."""
