"""The command line `refresher`, one module a noun; `app.py` puts the commands together.

No logic of refreshing and no SQL lives here: a command reads arguments, calls what is below, and
prints. How every command ends (a sentence, an exit code, no traceback): `group.py`. Each command
imports what it needs when it runs, so that `refresher --help` is quick.
"""


def main() -> None:
    """Runs the command line of this process, and exits with its code."""
    from refresher.cli.app import build

    build()(prog_name="refresher")
