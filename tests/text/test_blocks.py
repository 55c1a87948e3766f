import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import CharrnnError
from charrnn_cli.text import blocks as module
from charrnn_cli.text import coding
from charrnn_cli.text.blocks import Block, blocks, in_order
from charrnn_cli.text.coding import coder
from charrnn_cli.text.sources import Source

PROSE = st.text(st.sampled_from('ab"_ .,\n\n\n-'), max_size=60)


def in_blocks_of(size, texts, ends=("\n\n",), fresh_files=False):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", size)
        patch.setattr(module, "LONGEST", 4 * size)
        return list(blocks([[(text, len(text))] for text in texts], ends, fresh_files))


@given(st.lists(PROSE, max_size=4), st.integers(1, 20))
def test_blocks_are_the_files(texts, size):
    found = in_blocks_of(size, texts)
    files, open_file = [], ""
    for block in found:
        for number, text in enumerate(block.texts, 1):
            open_file += text
            if number < len(block.texts) or block.ends_file:
                files.append(open_file)
                open_file = ""
    assert (files, open_file) == (texts, "")
    assert sum(block.size for block in found) == sum(map(len, texts))
    before = "\n\n"
    for block in found:
        assert block.fresh == before.endswith("\n\n")
        before = block.texts[-1]


def encoded(folder, texts, settings, size, processes=1):
    for number, text in enumerate(texts):
        (folder / str(number)).write_text(text)
    sources = [Source(str(number), folder / str(number)) for number in range(len(texts))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", size)
        patch.setattr(module, "LONGEST", 4 * size)
        worker = coder(settings, processes)
        counted = sum(count for count, _ in worker.count(sources, hashlib.sha256(), held_out=False))
        vocabulary = worker.vocabulary()
        parts = list(worker.encode(sources, hashlib.sha256(), vocabulary))
    ids = [id for part in parts for id in part.ids.tolist()]
    lengths = [length for part in parts for length in part.characters.tolist()]
    assert counted == len(ids) == len(lengths)
    return vocabulary, ids, lengths


@given(st.lists(PROSE, min_size=1, max_size=3), st.integers(1, 12))
@pytest.mark.parametrize("split_on", ["punctuation", "whitespace"])
@pytest.mark.parametrize("documents", [None, "line"])
def test_words_do_not_depend_on_the_blocks(tmp_path_factory, split_on, documents, texts, size):
    folder, settings = (
        tmp_path_factory.getbasetemp(),
        PrepareSettings(level="word", split_on=split_on, documents=documents),
    )
    texts = ["word", *texts]
    assert encoded(folder, texts, settings, size) == encoded(folder, texts, settings, 10**6)


@pytest.mark.parametrize("split_on", ["punctuation", "whitespace"])
def test_words_do_not_depend_on_how_many_processes_count_them(folder, split_on):
    quoted = '"Well, it is so.\n"No!\n' * 10  # nothing to begin anew behind, and quotes that stay open
    texts = ['He said: "Yes."\n\n"Quite."  -- And so on.\n\n' * 20, quoted, "end"]
    settings = PrepareSettings(level="word", split_on=split_on)
    assert encoded(folder, texts, settings, 64, processes=3) == encoded(folder, texts, settings, 64)


def test_rare_words_are_forgotten_the_same_way_by_several_processes(folder, monkeypatch):
    monkeypatch.setattr(coding, "DISTINCT", 50)
    texts = ["\n\n".join(f"the w{i} a b" for i in range(200))]
    settings = PrepareSettings(level="word", vocab_size=5)
    assert encoded(folder, texts, settings, 64, processes=2) == encoded(folder, texts, settings, 64)


def dies(block, state):
    os._exit(9)


def test_a_process_that_is_gone_is_an_error():
    with pytest.raises(CharrnnError, match="--workers 1"):
        list(in_order(dies, [Block(("a",), True, True, 1)], 2))
