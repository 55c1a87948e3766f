import json
from dataclasses import replace

import numpy as np
import pytest
from support import prepare_text

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import RunError
from charrnn_cli.text.corpus import Corpus, CorpusInfo, check_ids


@pytest.fixture
def corpus(folder):
    return Corpus(prepare_text(folder, "abcdefgh", PrepareSettings(valid=0.0, test=0.5)).corpus)


def test_info_is_what_its_file_says(corpus, folder):
    path = folder / "again.json"
    corpus.info.save(path)
    assert CorpusInfo.load(path) == corpus.info
    assert path.read_bytes() == (corpus.folder / "corpus.json").read_bytes()


@pytest.mark.parametrize(
    ("settings", "tokens", "short"),
    [
        ({"documents": "line"}, 10_000, True),
        ({"documents": "line"}, 10_001, False),
        ({"documents": "line", "level": "word"}, 20, False),
        *[({"documents": documents}, 20, False) for documents in (None, "file", "record")],
    ],
)
def test_a_short_list_has_lines_of_characters(corpus, settings, tokens, short):
    counts = corpus.info.tokens | {"train": tokens}
    assert replace(corpus.info, settings=PrepareSettings(**settings), tokens=counts).short_list is short


def test_a_cut_split_is_noticed(corpus):
    (corpus.folder / "test.bin").write_bytes(b"ab")
    with pytest.raises(RunError, match=r"test\.bin is damaged: it has 2 bytes, but corpus\.json says 4 .*`force=True`"):
        corpus.split("test")


@pytest.mark.parametrize("change", [{"sha256": "\ud800"}, {"grown_from": [""]}, {"split_sha256": {"train": "A" * 64}}])
def test_an_invalid_hash_is_noticed(corpus, change):
    path = corpus.folder / "corpus.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError, match=r"corpus\.json is damaged .* is not a SHA-256 hash"):
        CorpusInfo.load(path)


@pytest.mark.parametrize(
    "change", [{"dtype": "float32"}, {"tokens": {"train": 4}}, {"tokens": 5}, {"characters": {"odd": 3}}]
)
def test_an_invalid_field_is_noticed(corpus, change):
    path = corpus.folder / "corpus.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunError, match=r"corpus\.json is damaged[^`]*`force=True`"):
        CorpusInfo.load(path)


def test_ids_that_are_too_large_are_noticed():
    check_ids(np.array([0, 4]), 5)
    with pytest.raises(RunError, match="has the id 5, but the vocabulary has only 5 tokens"):
        check_ids(np.array([0, 5]), 5)
