import pytest

from charrnn_cli.config import PrepareSettings
from charrnn_cli.text.character_coder import CharacterCoder
from charrnn_cli.text.coding import coder
from charrnn_cli.text.word_coder import WordCoder


@pytest.mark.parametrize(("level", "kind"), [("char", CharacterCoder), ("byte", CharacterCoder), ("word", WordCoder)])
def test_every_level_has_a_coder(level, kind):
    assert isinstance(coder(PrepareSettings(level=level)), kind)
