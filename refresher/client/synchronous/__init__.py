# Made of asynchronous/__init__.py by `make client`: change that one.
"""The client for threads, made of `asynchronous/` by `make client`."""
