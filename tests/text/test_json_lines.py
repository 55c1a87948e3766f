import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn_cli.errors import TextError
from charrnn_cli.text.json_lines import has_text_field, json_records


def records(text: str, field: str | None = None, size: int = 10**6) -> list[str]:
    chunks = ((text[start : start + size], 1) for start in range(0, len(text), size))
    return [record for texts, _ in json_records("a.jsonl", chunks, field) for record in texts]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)), st.integers(1, 9)
)
def test_texts_of_records_do_not_depend_on_the_chunks(texts, size):
    lines = "\n".join(json.dumps({"id": 1, "text": text, "more": [{}]}) for text in texts)
    assert records(lines, size=size) == texts
    assert records(lines + "\n", size=size) == texts


def test_any_field_and_blank_lines():
    assert records('{"body": "one"}\n\n{"body": "two", "id": 2}\n \n', "body") == ["one", "two"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"body": "x", "id": 1}', r"no text in the field 'text' in line 2: [^`]*has text in: body.*`field=body`"),
        ('{"text": 5}', "line 2.*Remove that line"),
        ("[1]", "line 2.*Remove that line"),
        ("no json", "line 2.*Remove that line"),
        ('{"text": "a\\u0000b"}', "NUL character in the record of line 2"),
        ('{"text": "\\ud800"}', "line 2"),
    ],
)
def test_a_record_without_text_is_located(line, message):
    for end in ("", "\n"):
        with pytest.raises(TextError, match=f"a.jsonl.*{message}"):
            records(f'{{"text": "x"}}\n{line}{end}')


def test_whether_a_line_has_text_in_a_field():
    assert has_text_field('{"text": "a"}', None)
    assert has_text_field('{"body": "a"}', "body")
    for line in ('{"text": "a"}', '{"body": 1}', "plain text", "", "\ud800"):
        assert not has_text_field(line, "body")
