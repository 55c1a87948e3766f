import numpy as np
import pytest

from charrnn_cli.text.token_ids import EncodedTokens, id_type
from charrnn_cli.text.vocabulary import Vocabulary


@pytest.mark.parametrize(("size", "dtype"), [(1, "uint8"), (256, "uint8"), (257, "uint16"), (65537, "uint32")])
def test_ids_have_the_smallest_type_that_holds_them(size, dtype):
    assert id_type(Vocabulary("word", tuple(map(str, range(size))))).name == dtype


@pytest.mark.parametrize(("characters", "lengths"), [(None, [0, 1, 2, 3, 3]), ([2, 0, 5], [0, 2, 2, 7, 7])])
def test_lengths_add_up(characters, lengths):
    characters = None if characters is None else np.array(characters)
    tokens = EncodedTokens(np.array([7, 8, 9], np.uint8), characters, 10)
    assert [tokens.length(count) for count in range(5)] == lengths
    for count in range(4):
        assert tokens.after(count).length(3) == lengths[3] - lengths[count]
        assert tokens.after(count).ids.tolist() == [7, 8, 9][count:]
