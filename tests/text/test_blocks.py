import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.text import blocks
from charrnn_cli.text.blocks import TextBlock, cut_into_blocks

PROSE = st.text(st.sampled_from('ab"_ .,\n\n\n-'), max_size=60)


def cut(size, texts, block_ends=("\n\n",), files_are_independent=False):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_CHARACTERS", size)
        patch.setattr(blocks, "MAX_BLOCK_CHARACTERS", 4 * size)
        files = [[(text, len(text))] for text in texts]
        return list(cut_into_blocks(files, block_ends, files_are_independent))


@given(st.lists(PROSE, max_size=4), st.integers(1, 20))
def test_joined_blocks_are_the_files(texts, size):
    found = cut(size, texts)
    files, open_file = [], ""
    for block in found:
        for number, text in enumerate(block.texts, 1):
            open_file += text
            if number < len(block.texts) or block.ends_file:
                files.append(open_file)
                open_file = ""
    assert (files, open_file) == (texts, "")
    assert sum(block.size for block in found) == sum(map(len, texts))


@given(st.lists(PROSE, max_size=4), st.integers(1, 20))
def test_a_block_is_independent_after_a_block_end(texts, size):
    before = "\n\n"
    for block in cut(size, texts):
        assert block.independent == before.endswith("\n\n")
        before = block.texts[-1]


def test_a_block_is_independent_after_a_file_if_files_are():
    texts = ["abc", "def"]
    assert [block.independent for block in cut(2, texts)] == [True, False]
    assert [block.independent for block in cut(2, texts, files_are_independent=True)] == [True, True]


def test_a_block_without_a_block_end_is_cut_at_its_maximum():
    assert cut(2, ["abcdefghij"]) == [
        TextBlock(("abcdefghij",), False, True, 10),
        TextBlock(("",), True, False, 0),
    ]
