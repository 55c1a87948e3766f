"""The lines and documents of a text as hashes, which tell whether another text is one of them."""

from collections.abc import Iterable, Iterator

import numpy as np

from charrnn_cli.text.copies import Original
from charrnn_cli.text.vocabulary import END


class Entries:
    """The lines and documents of some originals: eight bytes for each. Texts that differ only in white space are equal.

    The empty text is always one of them.
    """

    def __init__(self, originals: Iterable[Original] = ()) -> None:
        hashes = [np.array([entry_hash("")])]
        for original in originals:
            hashes += [np.fromiter(map(entry_hash, texts), np.int64) for texts in _lines_and_documents(original)]
        self._hashes = np.unique(np.concatenate(hashes))

    def __contains__(self, text: str) -> bool:
        wanted = entry_hash(text)
        place = int(self._hashes.searchsorted(wanted))
        return place < len(self._hashes) and int(self._hashes[place]) == wanted


def entry_hash(text: str) -> int:
    """64 bits that are the same for texts with the same words. They differ from process to process."""
    return hash(" ".join(text.split()))


def _lines_and_documents(original: Original) -> Iterator[Iterator[str]]:
    """The lines of a text, then its documents, if it has any."""
    yield _parts((piece.replace(END, "\n") for piece in original.texts()), "\n")
    if original.has_documents:
        yield _parts(original.texts(), END)


def _parts(pieces: Iterable[str], mark: str) -> Iterator[str]:
    """The texts between marks."""
    begun: list[str] = []
    for piece in pieces:
        rest, *others = piece.split(mark)
        begun.append(rest)
        for other in others:
            yield "".join(begun)
            begun = [other]
    yield "".join(begun)
