"""Connecting in a real browser, at servers that we did not write: `make browser` fetches it all."""
