"""Cuts a long text into blocks that several processes can work on. The result does not depend on their number.

A block is independent if the text before it does not change how it is split into words: after a blank line or the end
of a document. Any other block needs the state at the end of the block before it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from charrnn_cli.config import PrepareSettings
from charrnn_cli.text.reader import document_chunks
from charrnn_cli.text.sources import Source

if TYPE_CHECKING:
    from charrnn_cli.text.coding import TextHash

BLOCK_CHARACTERS = 1 << 20  # usual size of a block
MAX_BLOCK_CHARACTERS = 4 * BLOCK_CHARACTERS  # a block is cut anywhere if it gets this long; bounds memory


class TextBlock(NamedTuple):
    """A part of a text: the texts of one or more files, or parts of them."""

    texts: tuple[str, ...]  # each ends its file, except perhaps the last one
    ends_file: bool  # whether the last one ends its file
    independent: bool
    size: int  # bytes of the source that were read for it


class _OpenBlock:
    """A block that is not finished."""

    def __init__(self, independent: bool) -> None:
        self.length = 0  # characters
        self.size = 0
        self._independent = independent
        self._files: list[list[str]] = []

    def start_file(self) -> None:
        self._files.append([])

    def add(self, text: str) -> None:
        self._files[-1].append(text)
        self.length += len(text)

    @property
    def is_empty(self) -> bool:
        return not self._files

    def finished(self, ends_file: bool) -> TextBlock:
        return TextBlock(tuple(map("".join, self._files)), ends_file, self._independent, self.size)


def text_blocks(
    sources: Sequence[Source],
    settings: PrepareSettings,
    text_hash: "TextHash",
    block_ends: tuple[str, ...],
    files_are_independent: bool,
) -> Iterator[TextBlock]:
    """One text in blocks, as `cut_into_blocks` gives them. Adds the text to `text_hash`."""

    def chunks(number: int, source: Source) -> Iterator[tuple[str, int]]:
        if number > 0:
            text_hash.update(b"\0")  # a word ends where a file ends, so this is part of the text
        for text, size in document_chunks(source, settings):
            text_hash.update(text.encode("utf-8", "surrogatepass"))
            yield text, size

    files = (chunks(number, source) for number, source in enumerate(sources))
    return cut_into_blocks(files, block_ends, files_are_independent)


def cut_into_blocks(
    files: Iterable[Iterable[tuple[str, int]]], block_ends: tuple[str, ...], files_are_independent: bool
) -> Iterator[TextBlock]:
    """Cuts files into blocks. A file is given as chunks of text with the bytes that were read for them.

    A block that follows one of `block_ends` is independent; so is one that follows the end of a file if
    `files_are_independent`.
    """
    block = _OpenBlock(independent=True)
    for chunks in files:
        block.start_file()
        for text, size in chunks:
            block.size += size
            while cut := _cut_position(text, block.length, block_ends):
                block.add(text[:cut])
                yield block.finished(ends_file=False)
                block = _OpenBlock(independent=text[:cut].endswith(block_ends))
                block.start_file()
                text = text[cut:]
            block.add(text)
        if block.length >= BLOCK_CHARACTERS:
            finished = block.finished(ends_file=True)
            yield finished
            block = _OpenBlock(independent=files_are_independent or finished.texts[-1].endswith(block_ends))
    if not block.is_empty:
        yield block.finished(ends_file=True)


def _cut_position(text: str, length: int, block_ends: tuple[str, ...]) -> int:
    """The position in `text` at which a block that already has `length` characters ends; 0 if it does not."""
    start = max(BLOCK_CHARACTERS - length, 0)
    cuts = [position + len(end) for end in block_ends if (position := text.find(end, start)) >= 0]
    if cuts:
        return min(cuts)
    return len(text) if length + len(text) >= MAX_BLOCK_CHARACTERS else 0
