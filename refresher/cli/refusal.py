"""The exception with which a command refuses: its message is the sentence that is printed."""

from refresher.errors import RefresherError


class Refused(RefresherError):
    """The command cannot do this; nothing was changed."""


class WrongUse(RefresherError):
    """The arguments do not go together, or name something that cannot be read."""

    exit_code = 2
