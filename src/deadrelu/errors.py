"""The one error a user can cause; the command line prints it as one line and exits with 2."""


class InputError(Exception):
    """Wrong input: the message names the file, key or address, what was received and what is allowed."""
