"""Counts in words."""


def count_of(number: int, thing: str) -> str:
    """'1 hidden layer', '5 hidden layers'."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
