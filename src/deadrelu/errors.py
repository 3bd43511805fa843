"""The one error a user can cause; the command line prints it as one line and exits with 2."""


class InputError(Exception):
    """Wrong input: the message names the file, key or address, what was received and what is allowed.

    It is one line without terminal codes: names of keys, files and layers are anyone's.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """The text with a ? for each line break and each control code."""
    return "".join(c if c.isprintable() else "?" for c in text)
