"""What would steer a terminal, made visible."""


def visible(text: str) -> str:
    """The text with control characters written out, such as \\x1b; line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or c.isprintable() else repr(c)[1:-1] for c in text)
