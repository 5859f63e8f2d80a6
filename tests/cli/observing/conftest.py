"""The command line of `tests/cli`, for the commands that look at what happened."""

from tests.cli.conftest import bare, cli, provider, quiet

__all__ = ["bare", "cli", "provider", "quiet"]
