"""Texts to a corpus, in passes: `learn` finds subwords, `survey` counts tokens, `write_corpus` writes their ids.

Texts come in parts. There is either one part, `WHOLE_TEXT`, which is cut into splits, or one part for each split.
"""

import dataclasses
import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, TextError, disk_errors
from charrnn_cli.files import flush
from charrnn_cli.text.coding import Coder
from charrnn_cli.text.corpus import PREPARE_AGAIN, SPLIT_NAMES, Corpus, CorpusInfo
from charrnn_cli.text.sources import Source
from charrnn_cli.text.splitting import LEAST_TOKENS, DocumentEnds, cut_sizes
from charrnn_cli.text.token_ids import EncodedTokens, TokenIds, id_type
from charrnn_cli.text.tokenizer import TOKEN_UNITS
from charrnn_cli.text.vocabulary import Vocabulary

WHOLE_TEXT = "text"
RAREST = 10  # number of rare tokens that corpus.json names
COPIED_IDS = 1 << 22  # number of ids that are copied at a time
PartSources = Mapping[str, Sequence[Source]]  # the files of each part


@dataclass(frozen=True)
class PassProgress:
    """Progress of a pass over the text."""

    doing: str  # "learning", "counting" or "writing"
    done: int  # bytes of the sources
    total: int


@dataclass(frozen=True)
class Survey:
    """The result of the pass that counts."""

    tokens: dict[str, int]  # number of tokens in each part
    sha256: str  # of the clean text in UTF-8, or of the bytes; a NUL byte separates parts, and files of words
    document_ends: DocumentEnds | None = None  # of `WHOLE_TEXT`, if it has documents


def learn(parts: PartSources, coder: Coder) -> Iterator[PassProgress]:
    """The pass in which subwords are learned; other levels need none. Raises TextError, UsageError, DiskError."""
    sources = parts.get(WHOLE_TEXT) or parts["train"]
    done, total = 0, sum(source.size for source in sources)
    for size in coder.learn(sources):
        done += size
        yield PassProgress("learning", done, total)


def survey(parts: PartSources, coder: Coder, has_documents: bool = False) -> Generator[PassProgress, None, Survey]:
    """The pass that counts: yields progress, returns the result. Raises TextError, DiskError."""
    text_hash = hashlib.sha256()
    tokens = dict.fromkeys(parts, 0)
    ends = DocumentEnds() if has_documents and WHOLE_TEXT in parts else None
    done, total = 0, total_size(parts)
    for part, sources in parts.items():
        for counted in coder.count(sources, text_hash, held_out=part in ("valid", "test")):
            if ends is not None:
                ends.add(counted.document_ends, start=tokens[part])
            tokens[part] += counted.number
            done += counted.size
            yield PassProgress("counting", done, total)
        if not tokens[part] and sources:
            names = ", ".join(source.name for source in sources)
            raise TextError(f"there is no text in {names}. Name a file that contains text.")
        if part != WHOLE_TEXT:
            text_hash.update(b"\0")
    return Survey(tokens, text_hash.hexdigest(), ends)


def write_corpus(
    parts: PartSources,
    settings: PrepareSettings,
    surveyed: Survey,
    coder: Coder,
    vocabulary: Vocabulary,
    folder: Path,
    may_be_empty: bool = False,
) -> Generator[PassProgress, None, CorpusInfo]:
    """The pass that writes: yields progress, returns the content of corpus.json.

    Splits of documents `may_be_empty` if they are added to others. Raises TextError, DiskError.
    """
    sizes = split_sizes(surveyed, settings, may_be_empty)
    text_hash = hashlib.sha256()
    unknown, done, total = 0, 0, total_size(parts)
    with _SplitWriter(folder, sizes) as writer:
        for part, sources in parts.items():
            splits = SPLIT_NAMES if part == WHOLE_TEXT else (part,)
            for encoded in coder.encode(sources, text_hash, vocabulary):
                if vocabulary.unknown is not None:
                    unknown += int(np.count_nonzero(encoded.ids == vocabulary.unknown))
                writer.write(encoded, splits)
                done += encoded.size
                yield PassProgress("writing", done, total)
            if part != WHOLE_TEXT:
                text_hash.update(b"\0")
        writer.flush()
    if text_hash.hexdigest() != surveyed.sha256:
        raise TextError("the text changed while it was read. Wait until no program writes to it, then try again.")
    info = CorpusInfo(
        settings=settings,
        dtype=id_type(vocabulary).name,
        tokens=sizes,
        distinct=coder.distinct,
        rarest=coder.rarest(RAREST),
        unknown=unknown,
        files=[source.name for sources in parts.values() for source in sources],
        sha256=surveyed.sha256,
        characters=writer.characters,
        split_sha256=writer.sha256,
    )
    info.save(folder / "corpus.json")
    return info


class _SplitWriter:
    """The files of the splits. Each takes its number of tokens from the text, in the order of `sizes`."""

    def __init__(self, folder: Path, sizes: Mapping[str, int]) -> None:
        self.characters = dict.fromkeys(sizes, 0)
        self._missing = dict(sizes)  # number of tokens that each split still takes
        self._digests = {name: hashlib.sha256() for name in sizes}
        self._paths = {name: folder / f"{name}.bin" for name in sizes}
        with disk_errors("write", folder):
            self._files = {name: path.open("wb") for name, path in self._paths.items()}

    def __enter__(self) -> "_SplitWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file in self._files.values():
            file.close()

    def write(self, encoded: EncodedTokens, splits: Sequence[str]) -> None:
        """Writes the next tokens of the text to the first of `splits` that are not full."""
        for name in splits:
            count = self._missing[name]
            ids = encoded.ids[:count]
            self._missing[name] -= len(ids)
            self.characters[name] += encoded.length(count)
            with disk_errors("write", self._paths[name]):
                self._files[name].write(ids.data)
            self._digests[name].update(ids.data)
            encoded = encoded.after(count)

    def flush(self) -> None:
        """Waits until everything is on disk."""
        for name, file in self._files.items():
            with disk_errors("write", self._paths[name]):
                flush(file)

    @property
    def sha256(self) -> dict[str, str]:
        return {name: digest.hexdigest() for name, digest in self._digests.items()}


def join_corpora(old: Corpus, new: Corpus, vocabulary: Vocabulary, folder: Path) -> CorpusInfo:
    """Writes a corpus to `folder` whose splits are those of `old`, each followed by that of `new`.

    Both have the ids of `vocabulary`. Raises RunError if ids are damaged, DiskError.
    """
    counts = np.zeros(len(vocabulary), np.int64)
    split_sha256 = {}
    for name in SPLIT_NAMES:
        path = folder / f"{name}.bin"
        digest = hashlib.sha256()
        with disk_errors("write", path), path.open("wb") as file:
            for corpus in (old, new):
                ids = corpus.split(name)
                for start in range(0, len(ids), COPIED_IDS):
                    piece = ids[start : start + COPIED_IDS]
                    counts += _counts(piece, len(vocabulary), corpus.folder / f"{name}.bin")
                    file.write(piece.data)
                    digest.update(piece.data)
            flush(file)
        split_sha256[name] = digest.hexdigest()
    info = _joined_info(old.info, new.info, _rarest(counts, vocabulary), split_sha256)
    info.save(folder / "corpus.json")
    return info


def _counts(ids: TokenIds, vocabulary_size: int, path: Path) -> NDArray[np.int64]:
    """How often each token occurs in `ids`, which come from `path`. Raises RunError for an id that is too large."""
    counts = np.bincount(ids, minlength=vocabulary_size)
    if len(counts) > vocabulary_size:
        raise RunError(
            f"{path} is damaged: it has the id {len(counts) - 1}, but the vocabulary has only {vocabulary_size} "
            f"tokens. {PREPARE_AGAIN}"
        )
    return counts


def _rarest(counts: NDArray[np.int64], vocabulary: Vocabulary) -> list[tuple[str, int]]:
    """The rarest tokens with their counts, without <unk>."""
    ids = [id for id in np.argsort(counts, kind="stable").tolist() if counts[id] and id != vocabulary.unknown]
    return [(vocabulary.tokens[id], int(counts[id])) for id in ids[:RAREST]]


def _joined_info(
    old: CorpusInfo, new: CorpusInfo, rarest: list[tuple[str, int]], split_sha256: dict[str, str]
) -> CorpusInfo:
    return dataclasses.replace(
        old,
        tokens={name: old.tokens[name] + new.tokens[name] for name in SPLIT_NAMES},
        distinct=max(old.distinct, new.distinct),
        rarest=rarest,
        unknown=old.unknown + new.unknown,
        files=old.files + new.files,
        sha256=hashlib.sha256(f"{old.sha256} {new.sha256}".encode()).hexdigest(),
        characters={name: old.characters[name] + new.characters[name] for name in old.characters},
        split_sha256=split_sha256,
        grown_from=[*old.grown_from, old.sha256],
    )


def split_sizes(surveyed: Survey, settings: PrepareSettings, may_be_empty: bool = False) -> dict[str, int]:
    """Number of tokens in each split, in the order of the text. Raises TextError if a split is too short.

    Splits of documents `may_be_empty`.
    """
    if WHOLE_TEXT in surveyed.tokens:
        return cut_sizes(surveyed.tokens[WHOLE_TEXT], settings, surveyed.document_ends, may_be_empty)
    unit = TOKEN_UNITS[settings.level]
    for name, size in surveyed.tokens.items():
        if size < LEAST_TOKENS:
            raise TextError(
                f"the {name} text is too short: it has {size} {unit}, but needs at least {LEAST_TOKENS}. Name a longer "
                "one."
            )
    return {name: surveyed.tokens.get(name, 0) for name in SPLIT_NAMES}


def total_size(parts: PartSources) -> int:
    """Bytes of all sources."""
    return sum(source.size for sources in parts.values() for source in sources)
