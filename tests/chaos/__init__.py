"""Real processes, real signals, and a provider that keeps the books: `python -m tests.chaos --help`."""
