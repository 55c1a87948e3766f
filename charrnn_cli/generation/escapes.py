r"""Escapes such as \n and \x41 in texts that a person types."""

import re

from charrnn_cli.errors import UsageError

CHARACTERS = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}
ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.?))", re.S)
KNOWN = r"\n, \t, \r, \\, \", \', \xHH, \uHHHH and \UHHHHHHHH"
CODE_LIMIT = 0x110000  # Unicode has no code point from here on


def unescape(setting: str, text: str) -> str:
    """The text with its escapes replaced by the characters. Raises UsageError that names the setting."""

    def character(match: re.Match[str]) -> str:
        code, letter = match[1] or match[2] or match[3], match[4]
        if code and int(code, 16) < CODE_LIMIT:
            return chr(int(code, 16))
        if letter not in CHARACTERS:
            raise UsageError(f"`{setting}` {text!r}: {match[0]} is not an escape. Valid escapes are {KNOWN}.")
        return CHARACTERS[letter]

    return ESCAPE.sub(character, text)
