import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import join

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError, TextError
from charrnn_cli.text import sources
from charrnn_cli.text.coding import coder
from charrnn_cli.text.corpus import SPLITS, TEXT, Corpus, CorpusInfo, Survey, split_sizes, survey, write_corpus
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
    return prepare_parts(folder, {TEXT: [Source("source", folder / "source")]}, settings)


def prepare_parts(folder, parts, settings: PrepareSettings):
    coding = coder(settings)
    found: Survey = last(survey(parts, coding))
    vocabulary = coding.vocabulary()
    info: CorpusInfo = last(write_corpus(parts, settings, found, coding, vocabulary, folder))
    return vocabulary, info, [Corpus(folder).split(name) for name in SPLITS]


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
def test_ids_take_the_smallest_type(folder, distinct, dtype):
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
        (b"short text", PrepareSettings(), "too short: of its 10 characters the valid split gets 0"),
        (b"a", PrepareSettings(valid=0, test=0), "the train split gets 1"),
        (b"abc", PrepareSettings(valid=0, test=0, min_count=9), "--min-count 9 leaves no character"),
    ],
)
def test_texts_that_cannot_be_prepared(folder, data, settings, message):
    with pytest.raises(TextError, match=message):
        prepare(folder, data, settings)


def test_a_text_that_changes_between_the_passes_is_noticed(folder):
    path, settings = folder / "source", PrepareSettings(valid=0, test=0)
    path.write_bytes(b"abc")
    parts, coding = {TEXT: [Source("source", path)]}, coder(settings)
    found = last(survey(parts, coding))
    path.write_bytes(b"cba")
    with pytest.raises(TextError, match="changed while it was read"):
        last(write_corpus(parts, settings, found, coding, coding.vocabulary(), folder))


def test_info_survives_its_file_and_a_cut_split_is_noticed(folder):
    _, info, _ = prepare(folder, b"abcdefgh", PrepareSettings(valid=0, test=0.5))
    loaded = CorpusInfo.load(folder / "corpus.json")
    assert loaded.settings == info.settings
    assert loaded.tokens == info.tokens
    (folder / "test.bin").write_bytes(b"ab")
    with pytest.raises(RunError, match=r"test\.bin is damaged: 2 bytes where corpus\.json says 4"):
        Corpus(folder).split("test")


@pytest.mark.parametrize("change", [{"sha256": "\ud800"}, {"grown_from": [""]}, {"split_sha256": {"train": "A" * 64}}])
def test_a_hash_that_is_none_is_noticed(folder, change):
    """One that has a lone surrogate ended `prepare --append` with a traceback."""
    prepare(folder, b"abcdefgh", PrepareSettings(valid=0, test=0.5))
    path = folder / "corpus.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError, match=r"corpus\.json is damaged .* is no SHA-256"):
        CorpusInfo.load(path)


@pytest.mark.parametrize(
    ("tokens", "valid", "held_out"), [(1000, None, 50), (10**8, None, 10**6), (10**8, 0.05, 5 * 10**6), (10**8, 0, 0)]
)
def test_of_a_large_text_a_million_tokens_are_held_out_unless_a_share_is_given(tokens, valid, held_out):
    sizes = split_sizes(Survey({TEXT: tokens}, ""), PrepareSettings(valid=valid))
    assert sizes == {"train": tokens - held_out - min(tokens // 20, 10**6), "valid": held_out, "test": sizes["test"]}
