"""Connections handed in, and what their answers bring: against a token server on a real socket."""
