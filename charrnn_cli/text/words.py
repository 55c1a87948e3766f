"""Text to words and punctuation tokens, and back to exactly the same text.

A token is a word, a punctuation mark by its name (`||Comma||`), a line break (`||Return||`), or any other character,
such as an emoji. Most spaces need no token: a rule decides whether there is one between two tokens. Where a text
differs from the rule, a token says so: `||NoSpace||`, `||Space||`, `||4Spaces||`. Joining uses the same rule.
"""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache

import regex

from charrnn_cli.text.vocabulary import END, EOD

WORD_PART = r"[\p{L}\p{M}\p{N}]+"
INNER = r"(?:['\u2019_\u2010\u2011\-]|(?<=\p{Nd})[.,:](?=\p{Nd}))"  # don't, snake_case, twenty-one, 3.14
PIECES = regex.compile(rf" +|\s|--|{WORD_PART}(?:{INNER}{WORD_PART})*|\p{{Cf}}|\X", regex.V1)
WORD_LIMIT = 1 << 20  # characters without white space after which a text is cut; bounds memory

NAMES = {  # as in the TV-script tutorials
    ".": "Period",
    ",": "Comma",
    '"': "QuotationMark",
    ";": "Semicolon",
    "!": "Exclamationmark",
    "?": "Questionmark",
    "(": "LeftParentheses",
    ")": "RightParentheses",
    "--": "Dash",
    "\n": "Return",
    "\t": "Tab",
    "\r": "CarriageReturn",
}
RETURN = "||Return||"
GAP_TOKEN = regex.compile(r"\|\|(?:NoSpace|Space|\d+Spaces)\|\|")
MAX_GAP = 16  # spaces that one token can stand for
PAIRED = ('"', "_")  # marks that both open and close
UNSPACED = frozenset(("-", "--", "\u2010", "\u2011", "\u2013", "\u2014", "/"))  # no space on either side
OPENING = frozenset("'¿¡#$£€@")
CLOSING = frozenset(".,:;!?%…")


def mark(text: str) -> str | None:
    """The token of a punctuation mark, a symbol or white space; None for a text that is its own token."""
    name = NAMES.get(text)
    category = unicodedata.category(text) if len(text) == 1 else "So"
    if name is None and category[0] in "PSZ" and category != "So":
        name = unicodedata.name(text).title().replace(" ", "").replace("-", "")
    return None if name is None else f"||{name}||"


def gap_marks(gap: str) -> dict[str, str]:
    """The token of a gap between words that differs from the rule, with the spaces that it stands for."""
    if not gap:
        return {"||NoSpace||": ""}
    return {"||Space||" if len(gap) == 1 else f"||{len(gap)}Spaces||": gap}


def is_gap(token: str) -> bool:
    """Whether a token stands for a gap."""
    return GAP_TOKEN.fullmatch(token) is not None


class Spacing:
    """The rule for spaces: whether there is one between two tokens. It is told the text of every token in turn."""

    def __init__(self) -> None:
        self._after = False  # whether the last token wants a space after it
        self._open = dict.fromkeys(PAIRED, False)
        self._line_ended = False

    def before(self, text: str) -> bool:
        """Whether there is a space before `text`, the next token."""
        if text.isalnum():
            wants_before, wants_after = True, True
        elif text in self._open:
            closes = self._open[text]
            self._open[text] = not closes
            wants_before, wants_after = not closes, closes
        else:
            wants_before, wants_after = _wants(text)
        space = self._after and wants_before
        self._after = wants_after
        if text == END or (text == "\n" and self._line_ended):  # a paragraph ends, and with it any open quotation
            self._open = dict.fromkeys(PAIRED, False)
        self._line_ended = text == "\n"
        return space


@lru_cache(maxsize=1 << 14)
def _wants(text: str) -> tuple[bool, bool]:
    """Whether a punctuation mark wants a space before it, and after it."""
    category = unicodedata.category(text[0])
    if text.isspace() or text in UNSPACED or text == END:
        return False, False
    if text in OPENING or category in ("Ps", "Pi"):
        return True, False
    if text in CLOSING or category in ("Pe", "Pf"):
        return False, True
    return True, True


class WholeWords:
    """Takes a text piece by piece, and holds back the last word, which may continue in the next piece."""

    def __init__(self) -> None:
        self._rest = ""

    def add(self, text: str) -> str:
        """The text up to the last white space."""
        text = self._rest + text
        cut = max(text.rfind(" "), text.rfind("\n"), text.rfind(END)) + 1
        if len(text) - cut > WORD_LIMIT:
            cut = len(text)
        self._rest = text[cut:]
        return text[:cut]

    def end(self) -> str:
        """The rest of the text."""
        text, self._rest = self._rest, ""
        return text


class WordSplitter:
    """Splits one text into tokens, piece by piece.

    `marks` collects the text of each token that is not its own text, `lengths` the number of characters of each token,
    with the space that the rule puts before it.
    """

    def __init__(self, lowercase: bool) -> None:
        self.marks: dict[str, str] = {}
        self.lengths: list[int] = []
        self._lowercase = lowercase
        self._token_of: dict[str, str] = {}  # of each mark so far
        self._spacing = Spacing()
        self._gap = ""
        self._words = WholeWords()

    def add(self, text: str) -> list[str]:
        """The tokens that are complete with `text`."""
        return self._split(self._words.add(text))

    def end(self, unfinished: bool = False) -> list[str]:
        """The remaining tokens. Spaces at the end of an `unfinished` text belong to the text that will follow."""
        tokens = self._split(self._words.end())
        if self._gap and not unfinished:
            self._add_gap(tokens)
        self._gap = ""
        return tokens

    def _split(self, text: str) -> list[str]:
        tokens: list[str] = []
        before, known, lengths = self._spacing.before, self._token_of, self.lengths
        for piece in PIECES.findall(text.lower() if self._lowercase else text):
            if piece[0] == " ":
                self._gap += piece
                continue
            space = before(piece)
            if self._gap != (" " if space else ""):
                self._add_gap(tokens)
                space = False
            self._gap = ""
            if piece.isalnum():
                tokens.append(piece)
                lengths.append(len(piece) + space)
            else:
                tokens.append(known.get(piece) or self._learn(piece))
                lengths.append(len(piece.strip(END)) + space)
        return tokens

    def _add_gap(self, tokens: list[str]) -> None:
        for start in range(0, max(len(self._gap), 1), MAX_GAP):
            gap = self._gap[start : start + MAX_GAP]
            marks = gap_marks(gap)
            self.marks |= marks
            tokens += marks
            self.lengths.append(len(gap))

    def _learn(self, piece: str) -> str:
        token = EOD if piece == END else mark(piece)
        if token is None:  # such as a word with an apostrophe, or an emoji
            return piece
        self._token_of[piece] = token
        self.marks[token] = piece
        return token


class WordJoiner:
    """Words and punctuation tokens to text."""

    def __init__(self, marks: Mapping[str, str]) -> None:
        self._marks = marks
        self._spacing = Spacing()
        self._after_gap = False

    def add(self, token: str) -> str:
        """The token's text, with the space before it."""
        text = self._marks.get(token, token)
        if not text.strip(" "):
            self._after_gap = True
            return text
        space = self._spacing.before(text) and not self._after_gap
        self._after_gap = False
        if text == END:
            return ""
        return f" {text}" if space else text

    def end(self) -> str:
        return ""


class WordTokenizer:
    """A token is a word or a punctuation mark."""

    def __init__(self, lowercase: bool = False, marks: Mapping[str, str] | None = None) -> None:
        self.marks = {} if marks is None else marks
        self.lowercase = lowercase

    def splitter(self) -> WordSplitter:
        """A new splitter, for one text."""
        return WordSplitter(self.lowercase)

    def split(self, text: str, unfinished: bool = False) -> list[str]:
        """The tokens of `text`, without the spaces at its end if it is `unfinished`, such as a prime."""
        splitter = self.splitter()
        return splitter.add(text) + splitter.end(unfinished)

    def joiner(self) -> WordJoiner:
        return WordJoiner(self.marks)
