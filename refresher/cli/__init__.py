"""The command line `refresher`, one module a noun; `app.py` knows the commands, and how they end.

No logic of refreshing and no SQL lives here: a command reads arguments, calls what is below, and
prints. A command's module is imported when it is called, so that `refresher --help` is quick.
"""


def main() -> None:
    """Runs the command line of this process, and exits with its code."""
    from refresher.cli.app import build  # noqa: PLC0415  who imports this package needs no Typer

    build()(prog_name="refresher")
