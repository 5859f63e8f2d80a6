"""Connections of other systems, imported by the command line."""
