"""Arrays of token ids."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.text.vocabulary import Vocabulary

TokenIds = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]


def id_type(vocabulary: Vocabulary) -> np.dtype[Any]:
    """The smallest type that holds the ids of a vocabulary."""
    return np.min_scalar_type(len(vocabulary) - 1)


class CountedTokens(NamedTuple):
    """Consecutive tokens of a text that were counted."""

    number: int
    size: int  # bytes of the source that were read for them
    document_ends: Sequence[int] | NDArray[np.int64] = ()  # positions after each token that ends a document


class EncodedTokens(NamedTuple):
    """Consecutive tokens of a text as ids."""

    ids: TokenIds  # (N,)
    characters: NDArray[Any] | None  # number of characters of each token, (N,); None: one each
    size: int  # bytes of the source that were read for them

    def length(self, count: int) -> int:
        """Number of characters of the first `count` tokens."""
        if self.characters is None:
            return min(count, len(self.ids))
        return int(self.characters[:count].sum())

    def after(self, count: int) -> "EncodedTokens":
        """All but the first `count` tokens."""
        characters = None if self.characters is None else self.characters[count:]
        return EncodedTokens(self.ids[count:], characters, self.size)
