"""Format counts with their nouns."""


def count_of(number: int, thing: str) -> str:
    """Return a count with the singular noun `thing` or its plural: '1 hidden layer', '5 hidden layers'."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
