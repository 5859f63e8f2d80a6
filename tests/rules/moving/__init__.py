"""Rows of other systems, and what comes of them."""
