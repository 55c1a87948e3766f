import pytest
import torch
from support import charrnn

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.conversation import Conversation
from charrnn_cli.generation.generate import Piece, generate
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.text.vocabulary import Vocabulary

SETTINGS = ModelSettings(hidden=16, layers=2, embedding=8)
ABC = Vocabulary("char", ("\n", " ", *"abcdefghijklmnopqrstuvwxyz"))


@pytest.fixture
def engine() -> NumpyEngine:
    torch.manual_seed(0)
    return NumpyEngine({name: 4 * a for name, a in get_weights(LanguageModel(SETTINGS, len(ABC))).items()}, SETTINGS)


@pytest.fixture
def conversation(engine) -> Conversation:
    return Conversation(engine, ABC, SamplingSettings(length=20, temperature=1.0), 5, "error")


def written(pieces) -> str:
    return "".join(piece.text for piece in pieces)


def test_the_state_goes_on_from_turn_to_turn(engine, conversation):
    first = written(conversation.add("far"))
    second = written(conversation.add("be"))
    assert conversation.text == f"far{first}be{second}"
    prime = ABC.encode(f"far{first}be")
    whole = generate(engine, ABC, prime, conversation.settings, 5 + 1)
    assert written(event for event in whole if isinstance(event, Piece) and not event.prime) == second


def test_a_turn_is_taken_back_and_written_anew(conversation):
    before = written(conversation.add("far"))
    first = written(conversation.add(""))
    anew = written(conversation.add(conversation.undo()))
    assert anew != first
    assert conversation.text == f"far{before}{anew}"
    assert conversation.undo() == ""
    assert conversation.text == f"far{before}"
    conversation.undo()
    with pytest.raises(UsageError, match="no turn"):
        conversation.undo()


def test_what_was_read_is_kept_where_writing_is_stopped(conversation):
    pieces = conversation.add("far")
    some = next(pieces).text + next(pieces).text
    pieces.close()
    assert conversation.text == f"far{some}"
    assert conversation.text + written(conversation.add("")) == conversation.text


def test_settings_change_between_turns(conversation):
    conversation.set("length", "7")
    assert len(written(conversation.add("a"))) == 7
    conversation.warm(-0.3)
    assert conversation.settings.temperature == 0.7
    conversation.warm(-9)
    assert conversation.settings.temperature == 0
    with pytest.raises(UsageError, match="'warm'"):
        conversation.set("temperature", "warm")
    with pytest.raises(UsageError, match="-1"):
        conversation.set("length", "-1")


def test_unknown_letters_leave_the_text_as_it_was(conversation):
    written(conversation.add("far"))
    before = conversation.text
    with pytest.raises(UsageError, match="'É'"):
        written(conversation.add("É"))
    assert conversation.text == before


def test_a_pipe_of_turns():
    turns = "He was\n\n/undo\n/temperature 9x\n/dance\n/set\n/text\n/again\n/new\nShe\n/quit\nnever\n"
    result = charrnn("sample", "--interactive", "--length", "12", "--seed", "1", stdin=turns.encode())
    assert result.exit_code == 0
    lines = result.stdout
    assert lines.startswith("He was")
    assert "\nShe" in lines
    assert "never" not in lines
    assert "'9x'" in result.stderr
    assert "/dance is no command" in result.stderr
    assert "temperature 0.8  length 12" in result.stderr


def test_a_word_is_not_glued_to_the_last_one():
    typed = ["sample", "--interactive", "--model", "shakespeare", "--length", "3", "--seed", "1"]
    result = charrnn(*typed, stdin=b"my lord\nmy\n")
    assert (result.exit_code, "never seen" in result.stderr) == (0, False)


def test_escapes_are_read_in_its_prime():
    result = charrnn("sample", "--interactive", "--prime", "Far\\nAnna", "--escapes", "--length", "2", stdin=b"")
    assert result.stdout.startswith("Far\nAnna")
