import pytest
import torch

from charrnn_cli.config import ModelSettings, PrepareSettings, SamplingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.conversation import Conversation
from charrnn_cli.generation.model import Model
from charrnn_cli.generation.texts import Piece
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.runs.weights import Summary
from charrnn_cli.text.vocabulary import Vocabulary

SETTINGS = ModelSettings(hidden=16, layers=2, embedding=8)
ABC = Vocabulary("char", ("\n", " ", *"abcdefghijklmnopqrstuvwxyz"))


@pytest.fixture
def model(folder) -> Model:
    torch.manual_seed(0)
    weights = {name: 4 * array for name, array in get_weights(LanguageModel(SETTINGS, len(ABC))).items()}
    summary = Summary(1, 0.1, 1.0, 2.0, 2.0, "2020-01-01T00:00:00+00:00")
    return Model(Run(folder), StoredModel(SETTINGS, ABC, weights, summary, PrepareSettings()), engine="numpy")


@pytest.fixture
def conversation(model) -> Conversation:
    return Conversation(model, SamplingSettings(length=20, temperature=1.0), 5)


def written(pieces) -> str:
    return "".join(piece.text for piece in pieces)


def test_a_turn_continues_the_whole_text(model, conversation):
    first = written(conversation.add("far"))
    second = written(conversation.add("be"))
    assert conversation.text == f"far{first}be{second}"
    whole = model.write(model.read(f"far{first}be"), conversation.settings, seed=5 + 1)
    assert written(event for event in whole if isinstance(event, Piece) and not event.prime) == second


def test_a_turn_is_undone_and_written_again(conversation):
    before = written(conversation.add("far"))
    first = written(conversation.add(""))
    again = written(conversation.add(conversation.undo()))
    assert again != first
    assert conversation.text == f"far{before}{again}"
    assert conversation.undo() == ""
    assert conversation.text == f"far{before}"
    conversation.undo()
    with pytest.raises(UsageError, match="no turn"):
        conversation.undo()


def test_what_was_written_before_a_stop_stays(conversation):
    pieces = conversation.add("far")
    shown = next(pieces).text + next(pieces).text
    pieces.close()
    assert conversation.text == f"far{shown}"
    assert conversation.text + written(conversation.add("")) == conversation.text


def test_a_new_text_forgets_the_old_one(model, conversation):
    written(conversation.add("far"))
    conversation.new()
    assert conversation.text == ""
    second = written(conversation.add("be"))
    whole = model.write(model.read("be"), conversation.settings, seed=5 + 1)
    assert written(event for event in whole if isinstance(event, Piece) and not event.prime) == second


def test_settings_change_between_turns(conversation):
    conversation.set("length", "7")
    assert len(written(conversation.add("a"))) == 7
    conversation.change_temperature(-0.3)
    assert conversation.settings.temperature == 0.7
    conversation.change_temperature(-9)
    assert conversation.settings.temperature == 0
    with pytest.raises(UsageError, match="`temperature` must be a number, got 'warm'"):
        conversation.set("temperature", "warm")
    with pytest.raises(UsageError, match=r"`length` must be a whole number, got '1\.5'"):
        conversation.set("length", "1.5")
    with pytest.raises(UsageError, match="`length` must be at least 0, got -1"):
        conversation.set("length", "-1")


def test_unknown_letters_are_an_error_that_leaves_the_text_unchanged(conversation):
    written(conversation.add("far"))
    before = conversation.text
    with pytest.raises(UsageError, match=r"'É' at position 3 \(closest known: 'e'\)\. Change what you typed\.$"):
        written(conversation.add("abÉ"))
    assert conversation.text == before
