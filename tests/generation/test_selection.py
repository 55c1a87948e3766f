from dataclasses import fields

import pytest

from charrnn_cli.config import SelectionSettings
from charrnn_cli.errors import SelectionError, UsageError
from charrnn_cli.generation.selection import CONDITIONS, Selection, has_conditions, split_settings
from charrnn_cli.generation.texts import Piece, Sample
from charrnn_cli.text.copies import Original
from charrnn_cli.text.entries import Entries

KNOWN = Entries([Original(lambda: ["Anna\nJohn\n"])])


class Writer:
    """Writes numbers, or other texts by their numbers, and notes which."""

    def __init__(self, name=str):
        self.name, self.written = name, []

    def __call__(self, samples, first=0):
        for number in reversed(range(first, samples)):  # texts may end in any order
            self.written.append(number)
            yield Piece(number, "", prime=True)
            yield Piece(number, self.name(number))
            yield Sample(number, "length", 1, 0.0)


def selection(**settings) -> Selection:
    return Selection(SelectionSettings(**settings), KNOWN)


def texts(events) -> list[str]:
    return [event.text for event in events if isinstance(event, Piece) and not event.prime]


# For every condition, a text that it keeps and one that it refuses: a new condition needs an entry here.
EXAMPLES = {
    "novel": (True, "Ann", "Anna\n"),
    "unique": (True, "Ann", None),
    "starts_with": ("An", "\nAnna", "Hanna"),
    "contains": (("n", "A"), "Anna", "Hanna"),
    "max_length": (4, "Anna\n", "Hanna"),
    "validate": ("grep -q A", "Anna", "Hanna"),
}


@pytest.mark.parametrize("name", [condition.setting for condition in CONDITIONS])
def test_every_condition_keeps_and_refuses(name):
    value, good, bad = EXAMPLES[name]
    chosen = selection(**{name: value})
    assert chosen.keeps(good)
    assert not chosen.keeps(good if bad is None else bad)
    assert chosen.summary == f"kept 1 of 2 texts; refused 1 by `{name}`"
    assert has_conditions(SelectionSettings(**{name: value}))


def test_every_setting_but_the_limit_is_a_condition():
    assert {one.name for one in fields(SelectionSettings)} == {"tries", *EXAMPLES}
    assert not has_conditions(SelectionSettings(tries=3))


def test_a_text_must_meet_all_conditions():
    chosen = selection(novel=True, unique=True, starts_with="A", max_length=4)
    kept = [text for text in ("Anna", "Ann", "Bea", "Ann", "Ada", "Alice") if chosen.keeps(text)]
    assert kept == ["Ann", "Ada"]


def test_the_first_texts_that_meet_the_conditions_are_kept_in_order():
    write = Writer()
    assert texts(selection(contains=("7",)).select(write, 3)) == ["7", "17", "27"]
    assert max(write.written) < 100
    assert sorted(write.written) == list(range(len(write.written)))  # each once


@pytest.mark.parametrize("tries", [7, 100])
def test_which_texts_are_kept_does_not_depend_on_their_number(tries):
    def repeating(number: int) -> str:
        return str(number // 3)

    for count in range(1, 8):
        found = texts(selection(unique=True, tries=tries).select(Writer(repeating), count))
        assert found == [str(number) for number in range(count)]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("tries", [1, 5, 64])
def test_it_ends_after_as_many_tries_as_are_allowed(count, tries):
    write, chosen = Writer(), selection(contains=("x",), tries=tries)
    assert list(chosen.select(write, count)) == []
    assert len(write.written) == count * tries
    with pytest.raises(SelectionError, match=f"found only 0 of {count} text.*refused .* by `contains`") as caught:
        chosen.check()
    assert f"`tries={tries}`" in str(caught.value)


def test_too_few_texts_are_an_error_that_has_them():
    chosen = selection(contains=("7",), unique=True, tries=10)
    found = texts(chosen.select(Writer(lambda number: str(number % 50)), 8))
    assert found == ["7", "17", "27", "37", "47"]
    with pytest.raises(
        SelectionError, match="5 of 8 texts after writing 80; refused 72 by `contains`, 3 by `unique`"
    ) as caught:
        chosen.check(found)
    assert caught.value.texts == tuple(found)
    assert caught.value.exit_code == 1


def test_a_round_writes_whole_groups():
    write = Writer()
    assert texts(selection(contains=("7",)).select(write, 2, lambda count: -(-count // 10) * 10)) == ["7", "17"]
    assert sorted(write.written) == list(range(40))


def test_several_lists_share_what_was_seen():
    chosen = selection(unique=True)
    assert texts(chosen.select(Writer(), 2)) == ["0", "1"]
    assert texts(chosen.select(Writer(), 2)) == ["2", "3"]
    chosen.check()


def test_settings_are_divided_by_what_they_are_for():
    writing, keeping = split_settings({"length": 3, "contains": ["a"], "ban": ["b"], "novel": True})
    assert writing == {"length": 3, "ban": ("b",)}
    assert keeping == SelectionSettings(contains=("a",), novel=True)
    with pytest.raises(UsageError, match="`nowel` is not a setting of writing"):
        split_settings({"nowel": True})
