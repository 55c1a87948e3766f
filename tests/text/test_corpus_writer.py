import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import join

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, TextError
from charrnn_cli.text import sources
from charrnn_cli.text.coding import coder
from charrnn_cli.text.corpus import SPLIT_NAMES, Corpus, CorpusInfo
from charrnn_cli.text.corpus_writer import WHOLE_TEXT, Survey, join_corpora, split_sizes, survey, write_corpus
from charrnn_cli.text.sources import Source


def last(generator):
    """What a generator returns."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def prepare(folder, data: bytes, settings: PrepareSettings):
    (folder / "source").write_bytes(data)
    return prepare_parts(folder, {WHOLE_TEXT: [Source("source", folder / "source")]}, settings)


def prepare_parts(folder, parts, settings: PrepareSettings):
    work = coder(settings)
    surveyed: Survey = last(survey(parts, work, settings.documents is not None))
    vocabulary = work.vocabulary()
    info: CorpusInfo = last(write_corpus(parts, settings, surveyed, work, vocabulary, folder))
    return vocabulary, info, [Corpus(folder).split(name) for name in SPLIT_NAMES]


def decode(vocabulary, splits):
    return [join(vocabulary, vocabulary.decode(split.tolist())) for split in splits]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"), min_size=1))
@pytest.mark.parametrize("size", [1, 7])
def test_the_ids_are_the_text(tmp_path_factory, size, text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK", size)
        settings = PrepareSettings(valid=0, test=0)
        if len(text) < 2:
            text += "."
        vocabulary, info, splits = prepare(tmp_path_factory.getbasetemp(), text.encode(), settings)
    assert "".join(decode(vocabulary, splits)) == text
    assert list(vocabulary.tokens) == sorted(set(text))
    assert info.distinct == len(set(text))


@given(st.binary(min_size=2))
def test_the_ids_are_the_bytes(tmp_path_factory, data):
    settings = PrepareSettings(level="byte", valid=0, test=0)
    _, _, (train, *_) = prepare(tmp_path_factory.getbasetemp(), data, settings)
    assert train.tobytes() == data


def test_splits_are_contiguous_and_the_end_of_the_text_is_the_test(folder):
    text = "".join(chr(97 + i % 26) for i in range(100))
    vocabulary, info, splits = prepare(folder, text.encode(), PrepareSettings(valid=0.1, test=0.2))
    assert decode(vocabulary, splits) == [text[:70], text[70:80], text[80:]]
    assert info.tokens == {"train": 70, "valid": 10, "test": 20}


@pytest.mark.parametrize(
    ("distinct", "dtype"), [(256, np.uint8), (257, np.uint16), (65536, np.uint16), (65537, np.uint32)]
)
def test_ids_have_the_smallest_type_that_holds_them(folder, distinct, dtype):
    text = "".join(map(chr, [*range(0x10000, 0x10000 + distinct)]))
    vocabulary, _, (train, *_) = prepare(folder, text.encode(), PrepareSettings(valid=0, test=0))
    assert train.dtype == dtype
    assert decode(vocabulary, [train]) == [text]


def test_rare_characters_become_one_unknown_token(folder):
    vocabulary, info, (train, *_) = prepare(folder, b"aaaabbbbcdaaaa", PrepareSettings(valid=0, test=0, min_count=2))
    assert vocabulary.tokens == ("<unk>", "a", "b")
    assert info.unknown == 2
    assert join(vocabulary, vocabulary.decode(train.tolist())) == "aaaabbbb\ufffd\ufffdaaaa"


def test_min_count_without_rare_characters_changes_nothing(folder):
    vocabulary, info, _ = prepare(folder, b"abab", PrepareSettings(valid=0, test=0, min_count=2))
    assert (vocabulary.tokens, vocabulary.unknown, info.unknown) == (("a", "b"), None, 0)


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (b"", PrepareSettings(), "no text"),
        (b"\xef\xbb\xbf", PrepareSettings(), "no text"),
        (b"short text", PrepareSettings(), "too short: the valid split gets 0 of its 10 characters"),
        (
            b"a",
            PrepareSettings(valid=0, test=0),
            "gets 1 of its 1 characters, but needs at least 2.*`valid=0`",
        ),
        (b"abc", PrepareSettings(valid=0, test=0, min_count=9), "`min_count=9` leaves no characters"),
    ],
)
def test_texts_that_cannot_be_prepared(folder, data, settings, message):
    with pytest.raises(TextError, match=message):
        prepare(folder, data, settings)


def test_a_text_that_changes_between_the_passes_is_noticed(folder):
    path, settings = folder / "source", PrepareSettings(valid=0, test=0)
    path.write_bytes(b"abc")
    parts, work = {WHOLE_TEXT: [Source("source", path)]}, coder(settings)
    surveyed = last(survey(parts, work))
    path.write_bytes(b"cba")
    with pytest.raises(TextError, match="changed while it was read"):
        last(write_corpus(parts, settings, surveyed, work, work.vocabulary(), folder))


@pytest.mark.parametrize(
    ("tokens", "valid", "held_out"), [(1000, None, 50), (10**8, None, 10**6), (10**8, 0.05, 5 * 10**6), (10**8, 0, 0)]
)
def test_without_a_share_at_most_a_million_tokens_are_held_out(tokens, valid, held_out):
    sizes = split_sizes(Survey({WHOLE_TEXT: tokens}, ""), PrepareSettings(valid=valid))
    assert sizes == {"train": tokens - held_out - min(tokens // 20, 10**6), "valid": held_out, "test": sizes["test"]}


@pytest.mark.parametrize("kind", [{"level": "char"}, {"level": "word"}, {"level": "word", "split_on": "whitespace"}])
@pytest.mark.parametrize("size", [5, 1 << 20])
def test_no_document_is_cut(folder, monkeypatch, kind, size):
    monkeypatch.setattr(sources, "CHUNK", size)
    names = [f"a{'b' * (k % 7)} c" for k in range(40)]
    settings = PrepareSettings(documents="line", valid=0.2, test=0.1, **kind)
    vocabulary, info, splits = prepare(folder, "\n".join(names).encode(), settings)
    documents = [join(vocabulary, [token]) for split in splits for token in vocabulary.decode(split.tolist())]
    assert [split[-1] for split in splits] == [vocabulary.end] * 3
    assert sum(info.tokens.values()) == len(documents)
    longest = max(np.diff(np.flatnonzero(np.concatenate(splits) == vocabulary.end)))
    assert abs(info.tokens["test"] - 0.1 * len(documents)) <= longest / 2
    assert abs(info.tokens["valid"] - 0.2 * len(documents)) <= longest


def test_joined_corpora_have_the_splits_of_both(folder):
    texts, settings = {"old": "aaabbb" * 3 + "ccdd", "new": "bababa" * 3 + "cddc"}, PrepareSettings(valid=0.1, test=0.1)
    for name, text in texts.items():
        (folder / name).mkdir()
        vocabulary, _, _ = prepare(folder / name, text.encode(), settings)
    (folder / "joined").mkdir()
    info = join_corpora(Corpus(folder / "old"), Corpus(folder / "new"), vocabulary, folder / "joined")
    joined = Corpus(folder / "joined")
    for name in SPLIT_NAMES:
        parts = [Corpus(folder / part).split(name) for part in texts]
        assert np.array_equal(joined.split(name), np.concatenate(parts))
    assert joined.info == info
    assert info.rarest == [("c", 4), ("d", 4), ("a", 18), ("b", 18)]
    assert info.grown_from == [Corpus(folder / "old").info.sha256]
    with pytest.raises(RunError, match=r"valid\.bin is damaged: it has the id 2, but .* has only 2 tokens"):
        small = type(vocabulary)("char", ("a", "b"))
        join_corpora(Corpus(folder / "old"), Corpus(folder / "new"), small, folder / "joined")
