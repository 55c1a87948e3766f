"""Words and punctuation tokens, and back to the same text to the last space.

A token is a word, a punctuation mark under a name of its own (`||Comma||`), a line break (`||Return||`), or what is
neither, such as an emoji. Most spaces need no token: a rule says whether one stands between two tokens, and where a
text has something else, a token for the gap says so: `||NoSpace||`, `||Space||`, `||4Spaces||`. The same rule
joins the tokens again.
"""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache

import regex

from charrnn_cli.text.vocabulary import END, EOD

PART = r"[\p{L}\p{M}\p{N}]+"
INNER = r"(?:['\u2019_\u2010\u2011\-]|(?<=\p{Nd})[.,:](?=\p{Nd}))"  # don't, snake_case, twenty-one, 3.14
PIECES = regex.compile(rf" +|\s|--|{PART}(?:{INNER}{PART})*|\p{{Cf}}|\X", regex.V1)
WORD_LIMIT = 1 << 20  # characters without white space after which a text is cut: memory stays bounded

NAMES = {  # as the tutorials name them
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
GAP = regex.compile(r"\|\|(?:NoSpace|Space|\d+Spaces)\|\|")
SPACES = 16  # that one token stands for, at most
PAIRED = ('"', "_")  # the same mark opens and closes
BETWEEN = frozenset(("-", "--", "\u2010", "\u2011", "\u2013", "\u2014", "/"))  # no space on either side of a dash
OPENING = frozenset("'¿¡#$£€@")
CLOSING = frozenset(".,:;!?%…")


def mark(text: str) -> str | None:
    """The token of a punctuation mark, a symbol or white space; None for what is its own token."""
    name = NAMES.get(text)
    category = unicodedata.category(text) if len(text) == 1 else "So"
    if name is None and category[0] in "PSZ" and category != "So":
        name = unicodedata.name(text).title().replace(" ", "").replace("-", "")
    return None if name is None else f"||{name}||"


def gap_marks(gap: str) -> dict[str, str]:
    """The tokens of a gap of spaces, or of none where the rule wants one, with what they stand for."""
    if not gap:
        return {"||NoSpace||": ""}
    return {"||Space||" if len(gap) == 1 else f"||{len(gap)}Spaces||": gap}


def is_gap(token: str) -> bool:
    """Whether a token stands for spaces, or for none, and for nothing else."""
    return GAP.fullmatch(token) is not None


class Spacing:
    """Whether one space stands between two tokens where no token says otherwise; told every token's text in turn."""

    def __init__(self) -> None:
        self._after = False  # whether what came last wants a space after it
        self._open = dict.fromkeys(PAIRED, False)
        self._line_ended = False

    def before(self, text: str) -> bool:
        """Whether a space stands before `text`, which comes next."""
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
        if text == END or (text == "\n" and self._line_ended):  # a paragraph ends: what is open in it is never closed
            self._open = dict.fromkeys(PAIRED, False)
        self._line_ended = text == "\n"
        return space


@lru_cache(maxsize=1 << 14)
def _wants(text: str) -> tuple[bool, bool]:
    """Whether a mark wants a space before it, and after it."""
    category = unicodedata.category(text[0])
    if text.isspace() or text in BETWEEN or text == END:
        return False, False
    if text in OPENING or category in ("Ps", "Pi"):
        return True, False
    if text in CLOSING or category in ("Pe", "Pf"):
        return False, True
    return True, True


class WholeWords:
    """Holds back the end of a text that comes piece by piece: its last word may go on."""

    def __init__(self) -> None:
        self._rest = ""

    def add(self, text: str) -> str:
        """What is sure of the text so far, up to white space."""
        text = self._rest + text
        cut = max(text.rfind(" "), text.rfind("\n"), text.rfind(END)) + 1
        if len(text) - cut > WORD_LIMIT:
            cut = len(text)
        self._rest = text[cut:]
        return text[:cut]

    def end(self) -> str:
        """What is left."""
        text, self._rest = self._rest, ""
        return text


class WordSplitter:
    """One text to tokens, piece by piece; `marks` collects what each token stands for that is not its own text.

    `lengths` collects the characters of each token in the text, with the space that the rule puts before it.
    """

    def __init__(self, lowercase: bool) -> None:
        self.marks: dict[str, str] = {}
        self.lengths: list[int] = []
        self._lowercase = lowercase
        self._token: dict[str, str] = {}  # of each mark so far
        self._spacing = Spacing()
        self._gap = ""
        self._words = WholeWords()

    def add(self, text: str) -> list[str]:
        """The tokens that are sure once `text` is there."""
        return self._split(self._words.add(text))

    def end(self, unfinished: bool = False) -> list[str]:
        """The tokens that are left; spaces at the end of an `unfinished` text belong to what will follow it."""
        tokens = self._split(self._words.end())
        if self._gap and not unfinished:
            self._add_gap(tokens)
        self._gap = ""
        return tokens

    def _split(self, text: str) -> list[str]:
        tokens: list[str] = []
        before, known, lengths = self._spacing.before, self._token, self.lengths
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
        for start in range(0, max(len(self._gap), 1), SPACES):
            gap = self._gap[start : start + SPACES]
            marks = gap_marks(gap)
            self.marks |= marks
            tokens += marks
            self.lengths.append(len(gap))

    def _learn(self, piece: str) -> str:
        token = EOD if piece == END else mark(piece)
        if token is None:  # a word with an apostrophe or a hyphen, an emoji
            return piece
        self._token[piece] = token
        self.marks[token] = piece
        return token


class WordJoiner:
    """Words and punctuation tokens to text."""

    def __init__(self, marks: Mapping[str, str]) -> None:
        self._marks = marks
        self._spacing = Spacing()
        self._gap_is_told = False

    def add(self, token: str) -> str:
        """The token's text, with the space before it."""
        text = self._marks.get(token, token)
        if not text.strip(" "):
            self._gap_is_told = True
            return text
        space = self._spacing.before(text) and not self._gap_is_told
        self._gap_is_told = False
        if text == END:
            return ""
        return f" {text}" if space else text

    def end(self) -> str:
        """Nothing: tokens are whole."""
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
        """The tokens of `text`; of an `unfinished` one, such as a prime, those before what will follow."""
        splitter = self.splitter()
        return splitter.add(text) + splitter.end(unfinished)

    def joiner(self) -> WordJoiner:
        """A new joiner, for one text."""
        return WordJoiner(self.marks)
