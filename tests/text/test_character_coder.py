import hashlib

import pytest

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import TextError
from charrnn_cli.text.character_coder import CharacterCoder
from charrnn_cli.text.sources import Source


def counted(folder, text: str, held_out: str = "", **settings):
    coder = CharacterCoder(PrepareSettings(**settings))
    for name, part in (("train", text), ("valid", held_out)):
        (folder / name).write_bytes(part.encode())
        list(coder.count([Source(name, folder / name)], hashlib.sha256(), held_out=name == "valid"))
    return coder


def encoded(folder, coder, text: str):
    (folder / "text").write_bytes(text.encode())
    pieces = coder.encode([Source("text", folder / "text")], hashlib.sha256(), coder.vocabulary())
    return [(id, piece.length(k + 1) - piece.length(k)) for piece in pieces for k, id in enumerate(piece.ids.tolist())]


def test_characters_are_sorted_by_code_point(folder):
    coder = counted(folder, "bäab")
    assert coder.vocabulary().tokens == ("a", "b", "ä")
    assert coder.distinct == 3
    assert coder.rarest(2) == [("a", 1), ("ä", 1)]


def test_vocab_size_includes_the_special_tokens(folder):
    assert counted(folder, "aaabbcd", vocab_size=3).vocabulary().tokens == ("<unk>", "a", "b")
    assert counted(folder, "aaabbcd", vocab_size=4).vocabulary().tokens == ("a", "b", "c", "d")
    lines = counted(folder, "aaabbcd", vocab_size=4, documents="line").vocabulary()
    assert lines.tokens == ("<unk>", "<eod>", "a", "b")
    assert (lines.unknown, lines.end) == (0, 1)


def test_held_out_characters_are_unknown(folder):
    coder = counted(folder, "ab", "ac")
    assert coder.vocabulary().tokens == ("<unk>", "a", "b")
    assert coder.lacking(counted(folder, "ab").vocabulary()) == ["c"]
    assert encoded(folder, coder, "acb") == [(1, 1), (0, 1), (2, 1)]


def test_the_end_of_a_document_is_a_token_without_characters(folder):
    assert encoded(folder, counted(folder, "a\n", documents="line"), "a\na") == [(1, 1), (0, 0), (1, 1), (0, 0)]


def test_bytes_are_their_own_ids_and_a_character_counts_at_its_first_byte(folder):
    coder = counted(folder, "ab", level="byte")
    assert len(coder.vocabulary()) == 256
    assert encoded(folder, coder, "aé") == [(97, 1), (0xC3, 1), (0xA9, 0)]


def test_min_count_that_leaves_nothing_is_refused(folder):
    with pytest.raises(TextError, match="`min_count=9` leaves no characters: the text has only 3"):
        counted(folder, "abc", min_count=9).vocabulary()
