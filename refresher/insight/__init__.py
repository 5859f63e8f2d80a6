"""How things stand, in words: the same for the command line, the dashboard and the API.

Reads only. What is decided about it is in `rules/`; who shows it adds its own form and nothing else.
"""
