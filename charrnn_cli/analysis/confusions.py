"""Which tokens a model takes for which."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.text.vocabulary import Vocabulary

MOST_CONFUSIONS = 20


@dataclass(frozen=True)
class Confusion:
    """A token in whose place another was likelier."""

    true: str
    predicted: str
    count: int
    share: float  # of all places of the true token

    def record(self) -> dict[str, object]:
        """The confusion as a JSON object."""
        return {"true": self.true, "predicted": self.predicted, "count": self.count, "share": round(self.share, 4)}


def confusions(
    ids: NDArray[np.int32], predicted: NDArray[np.int32], vocabulary: Vocabulary, most: int = MOST_CONFUSIONS
) -> list[Confusion]:
    """The most frequent confusions of the true tokens `ids` (N,) with the `predicted` ones (N,)."""
    V = len(vocabulary)
    wrong = ids != predicted
    pairs, counts = np.unique(ids[wrong].astype(np.int64) * V + predicted[wrong], return_counts=True)
    places = np.bincount(ids, minlength=V)
    found = []
    for k in np.argsort(-counts, kind="stable")[:most].tolist():
        true, other = divmod(int(pairs[k]), V)
        count = int(counts[k])
        found.append(Confusion(shown(vocabulary, true), shown(vocabulary, other), count, count / int(places[true])))
    return found


def shown(vocabulary: Vocabulary, id: int) -> str:
    """A token alone, as text; a byte outside ASCII as two hexadecimal digits."""
    token = vocabulary.tokens[id]
    if vocabulary.level == "byte" and int(token, 16) < 0x80:
        return chr(int(token, 16))
    return vocabulary.marks.get(token, token)
