import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text import copies
from charrnn_cli.text.copies import RUN, Original, find_copies, of_files, of_split
from charrnn_cli.text.vocabulary import Vocabulary


def by_hand(text: str, other: str, run: int) -> tuple[int, float]:
    passages = [text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)]
    longest = max((len(passage) for passage in passages if passage in other), default=0)
    in_runs = {k for i in range(len(text) - run + 1) if text[i : i + run] in other for k in range(i, i + run)}
    return longest, len(in_runs) / max(1, len(text))


@given(st.text("ab\ne", max_size=25), st.text("ab\ne", max_size=60), st.integers(0, 60), st.booleans())
def test_every_copied_passage_is_found(text, other, cut, keep):
    run, block, kept = copies.RUN, copies.BLOCK, copies.KEPT
    copies.RUN, copies.BLOCK, copies.KEPT = 4, 8, kept if keep else 0
    try:
        found = find_copies(text, Original(lambda: [other[:cut], other[cut:]]))
    finally:
        copies.RUN, copies.BLOCK, copies.KEPT = run, block, kept
    longest, share = by_hand(text, other, 4)
    assert len(found.longest) == longest
    assert found.longest in text
    assert found.longest in other
    assert abs(found.share - share) < 1e-9


def test_only_long_runs_are_copies():
    other = "".join(chr(0x4E00 + i) for i in range(1000))
    text = other[100 : 100 + RUN] + "x" * 10 + other[300 : 300 + RUN - 1] + "y" * 41
    found = find_copies(text, Original(lambda: [other]))
    assert found.longest == other[100 : 100 + RUN]
    assert found.share == RUN / len(text)


def test_a_split_is_its_text():
    marks = {"||Comma||": ","}
    words = Vocabulary("word", ("to", "be", *marks), marks=marks)
    (block,) = of_split([0, 2, 1, 0], words).blocks()
    assert "".join(map(chr, block)) == "to, be to"


def test_files_are_text_in_utf_8(folder):
    (folder / "a.txt").write_bytes(b"One,\r\n")
    (folder / "b.txt").write_bytes(b"caf\xe9")
    (block,) = of_files(["a.txt"], lowercase=True).blocks()
    assert "".join(map(chr, block)) == "one,\n"
    with pytest.raises(TextError, match=r"--copies-from reads UTF-8, and b\.txt"):
        of_files(["a.txt", "b.txt"], lowercase=False)
    with pytest.raises(UsageError, match="stdin"):
        of_files(["-"], lowercase=False)
