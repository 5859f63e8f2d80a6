"""The client for asyncio; `make client` makes the one for threads of it."""
