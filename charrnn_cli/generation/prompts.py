"""Prompts as token ids. A long prompt that begins like an earlier one is encoded only from where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import Unknown
from charrnn_cli.generation.long_texts import BLOCK
from charrnn_cli.generation.prime import EncodedPrime, UnknownTokensError, encode_prime, first_token, prime_text
from charrnn_cli.text.vocabulary import Vocabulary

LONG = 16 * BLOCK  # characters from which on a prompt is remembered
REMEMBERED = 8  # long prompts
OVERLAP = 64  # characters before a difference that are encoded again
DIGEST_BYTES = 16


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a model reads before it writes: the ids of a prompt, or the token that comes before a text."""

    ids: NDArray[np.unsignedinteger[Any]]  # (n,), at least one
    length: int  # tokens of the prompt itself: n or 0
    unknown: tuple[str, ...] = ()  # the characters or words that <unk> stands for, in their order
    known_digests: tuple[bytes, ...] = (b"",)  # the first of `digests`

    @property
    def to_read(self) -> int:
        """The number of tokens to read before writing: all but the last, which is read as the first token is drawn."""
        return len(self.ids) - 1

    @cached_property
    def digests(self) -> tuple[bytes, ...]:
        """For k = 0, 1, 2 ... a digest of the first k blocks of tokens, as many as are whole."""
        digests = list(self.known_digests)
        for k in range(len(digests) - 1, len(self.ids) // BLOCK):
            block = self.tokens(k * BLOCK, (k + 1) * BLOCK)
            digests.append(blake2b(digests[-1] + block, digest_size=DIGEST_BYTES).digest())
        return tuple(digests)

    def text(self, vocabulary: Vocabulary, finished: bool = False) -> str:
        """The text of the prompt as the model reads it. If nothing follows it, it is `finished`."""
        return prime_text(EncodedPrime(self.ids[: self.length].tolist(), self.unknown), vocabulary, finished)

    def tokens(self, start: int, end: int) -> bytes:
        """The ids from `start` to `end` as bytes."""
        return self.ids[start:end].tobytes()


class PromptEncoder:
    """Turns texts into prompts of one model. May be used by several threads."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._separable = vocabulary.level == "char" and not vocabulary.lowercase  # a character is a token by itself
        # Texts whose prompts have a token for each character.
        self._remembered: list[tuple[str, Prompt]] = []  # the newest first
        self._dtype = np.uint16 if len(vocabulary) <= 2**16 else np.uint32

    def encode(self, text: str, unknown: Unknown = "error") -> Prompt:
        """A text as a prompt. Raises UnknownTokensError for tokens that the model does not know."""
        if len(text) < LONG or not self._separable:
            return self.of_ids(*encode_prime(text, self.vocabulary, unknown))
        known, before = self._similar(text)
        try:
            ids, unknown_words = encode_prime(text[known:], self.vocabulary, unknown)
        except UnknownTokensError:
            return self.of_ids(*encode_prime(text, self.vocabulary, unknown))  # its error counts from the start
        if before is None:
            prompt = self.of_ids(ids, unknown_words)
        else:
            all_ids = np.concatenate([before.ids[:known], np.array(ids, self._dtype)])
            prompt = Prompt(all_ids, len(all_ids), unknown_words, before.digests[: known // BLOCK + 1])
        if len(prompt.ids) == len(text):
            self._remember(text, prompt, before)
        return prompt

    def of_ids(self, ids: Sequence[int], unknown: tuple[str, ...] = ()) -> Prompt:
        """A prompt of token ids, which must be ids of the vocabulary."""
        context = ids or [first_token(self.vocabulary)]
        return Prompt(np.array(context, self._dtype), len(ids), unknown)

    def _similar(self, text: str) -> tuple[int, Prompt | None]:
        """A remembered prompt with the same beginning, at least half of a text, and its length in characters."""
        for other, prompt in self._remembered:
            known = common_beginning(text, other) - OVERLAP
            if known >= len(text) // 2:
                return known, prompt
        return 0, None

    def _remember(self, text: str, prompt: Prompt, before: Prompt | None) -> None:
        """Remembers a prompt instead of `before`. Other threads see the old list or the new one."""
        others = [entry for entry in self._remembered if entry[1] is not before]
        self._remembered = [(text, prompt), *others[: REMEMBERED - 1]]


def common_beginning(one: str, other: str) -> int:
    """The number of characters with which both texts begin."""
    size, length = 64, 0
    while size and length < min(len(one), len(other)):
        if one[length : length + size] == other[length : length + size]:
            length += size
            size *= 2
        else:
            size //= 2
    return min(length, len(one), len(other))
