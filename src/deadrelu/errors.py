"""The one error that a user can cause; the command line prints it as one line and exits with 2."""


class InputError(Exception):
    """An error in the input; its message names the file, key or address, the received value and the allowed ones.

    The message is one line without terminal codes, because names of keys, files and layers may come from anyone.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Return the text with a ? for each line break and each control code."""
    return "".join(c if c.isprintable() else "?" for c in text)
