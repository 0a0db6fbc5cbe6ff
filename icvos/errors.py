"""The one exception that a user is meant to see."""


class IcvosError(Exception):
    """What is wrong, in which file, and what to do about it, in one line.

    The command line prints the message without a traceback and exits with status 2.
    """
