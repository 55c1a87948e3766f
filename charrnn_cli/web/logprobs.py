"""Log-probabilities of tokens as clients see them."""

import math
from collections.abc import Sequence

from charrnn_cli.generation.prompts import Prompt
from charrnn_cli.generation.requests import ScoredToken
from charrnn_cli.generation.state import JOINED_TOKENS
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.web.protocol import Logprobs


class LogprobsWriter:
    """Turns the scored tokens of one text into `Logprobs`, part by part."""

    def __init__(self, vocabulary: Vocabulary, prompt: Prompt, echo: bool) -> None:
        """With `echo`, the tokens of the prompt come first, and positions count from its start."""
        self._tokens, self._unknown = vocabulary.tokens, vocabulary.unknown
        self._joiner = tokenizer_of(vocabulary).joiner()
        self._offset = 0
        self._unknown_words = iter(prompt.unknown if echo else ())
        if not echo and prompt.length:
            for id in prompt.ids[-JOINED_TOKENS[vocabulary.level] :].tolist():
                self._joiner.add(self._tokens[id])

    def add(self, scored: Sequence[ScoredToken]) -> Logprobs:
        """Adds tokens. The likeliest at each position include the token itself, as in OpenAI's responses."""
        names = self._tokens
        part = Logprobs([], [], [], [])
        for id, score, alternatives in scored:
            known = not math.isnan(score)
            part.tokens.append(names[id])
            part.token_logprobs.append(score if known else None)
            part.top_logprobs.append({names[k]: other for k, other in (*alternatives, (id, score))} if known else None)
            part.text_offset.append(self._offset)
            self._offset += len(self._joiner.add(self._text_token(id)))
        return part

    def _text_token(self, id: int) -> str:
        """The text of the token. For an <unk> of the prompt, that is the word it stands for."""
        return next(self._unknown_words, self._tokens[id]) if id == self._unknown else self._tokens[id]
