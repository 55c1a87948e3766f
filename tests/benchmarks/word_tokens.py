"""Counts the tokens of a text at word level, compared with the scheme of the tutorials, which loses case and spaces.

python tests/benchmarks/word_tokens.py anna.txt
"""

import argparse
import time
from pathlib import Path

from charrnn_cli.text.words import WordJoiner, WordSplitter

TUTORIALS = {
    ".": "||Period||",
    ",": "||Comma||",
    '"': "||QuotationMark||",
    ";": "||Semicolon||",
    "!": "||Exclamationmark||",
    "?": "||Questionmark||",
    "(": "||LeftParentheses||",
    ")": "||RightParentheses||",
    "--": "||Dash||",
    "\n": "||Return||",
}


def tutorials(text: str) -> list[str]:
    """Puts spaces around punctuation marks, and splits at white space."""
    for mark, token in TUTORIALS.items():
        text = text.replace(mark, f" {token} ")
    return text.lower().split()


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("texts", nargs="+", type=Path)
for path in parser.parse_args().texts:
    text = path.read_text("utf-8")
    started = time.perf_counter()
    splitter = WordSplitter(lowercase=False)
    tokens = splitter.add(text) + splitter.end()
    seconds = time.perf_counter() - started
    joiner, theirs = WordJoiner(splitter.marks), tutorials(text)
    same = "".join(map(joiner.add, tokens)) == text
    print(
        f"{path.name}: {len(tokens):,} tokens ({len(set(tokens)):,} distinct), the tutorials' scheme {len(theirs):,} "
        f"({len(set(theirs)):,} distinct): {len(tokens) / len(theirs) - 1:+.2%}; joined again they "
        f"{'are' if same else 'ARE NOT'} the text; {60 * len(tokens) / seconds / 1e6:,.0f} million a minute"
    )
