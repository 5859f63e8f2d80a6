"""The browser without a window."""
