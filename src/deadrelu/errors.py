"""The exception for wrong input; the command line prints its message in one line and exits with 2."""


class InputError(Exception):
    """An error in the input; its message names the file, key or address, the received value and the expected ones.

    The message is one line without control codes, because names of keys, files and layers may come from anyone.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Return the text with a ? in place of each unprintable character, such as a line break or a control code."""
    return "".join(c if c.isprintable() else "?" for c in text)
