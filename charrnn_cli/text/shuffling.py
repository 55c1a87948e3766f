"""The documents of a text in a random order."""

from collections.abc import Sequence

import numpy as np

from charrnn_cli.text.token_ids import TokenIds


def shuffled_documents(ids: TokenIds, end: int, seed: Sequence[int]) -> TokenIds:
    """A copy of ids (N,) with the documents, each of which ends with the id `end`, in a random order.

    What follows the last end stays there. The order depends only on the seed and the number of documents. Needs 16
    bytes per token for a moment.
    """
    ends = np.flatnonzero(ids == end) + 1  # (D,)
    if not len(ends):
        return ids
    starts = np.append(0, ends[:-1])
    order = np.random.default_rng(seed).permutation(len(ends))
    lengths = (ends - starts)[order]
    new_starts = np.cumsum(lengths) - lengths
    places = np.arange(ends[-1]) + np.repeat(starts[order] - new_starts, lengths)  # where each token comes from
    return np.concatenate([ids[places], ids[ends[-1] :]])
