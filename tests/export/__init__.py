"""Connections that move out of one installation and into another."""
