"""Text from outside, as it may be shown."""


def readable(text: str) -> str:
    """Return text without control characters, which could rewrite a terminal: each becomes a space."""
    return "".join(character if character.isprintable() else " " for character in text)


def readable_lines(text: str) -> str:
    """Return text of several lines, which are ours, with no other control characters: what is said goes through here."""
    return "\n".join(map(readable, text.split("\n")))
