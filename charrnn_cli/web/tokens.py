"""Texts to token ids and back, with the interface of vLLM's server, which evaluation harnesses use."""

from typing import Any

from charrnn_cli.config import Unknown
from charrnn_cli.generation.prime import first_token
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import END, Vocabulary
from charrnn_cli.web.jobs import ServedModel, check_ids
from charrnn_cli.web.protocol import DetokenizeRequest, TokenizeRequest


def tokenize(request: TokenizeRequest, served: ServedModel, unknown: Unknown) -> dict[str, Any]:
    """The ids of a text. Raises UsageError for tokens that the model does not know."""
    ids = served.model.encode(request.prompt, unknown).ids
    names = served.model.vocabulary.decode(ids) if request.return_token_strs else None
    return {"count": len(ids), "max_model_len": None, "tokens": ids, "token_strs": names}  # a text has no maximum


def detokenize(request: DetokenizeRequest, served: ServedModel) -> dict[str, Any]:
    """The text of token ids. Raises ApiError for ids that the model does not have."""
    check_ids(request.tokens, served.model, "tokens")
    return {"prompt": _text(request.tokens, served.model.vocabulary)}


def tokenizer_info(served: ServedModel) -> dict[str, Any]:
    """What a token is. `eos_token` is the text of the token that the model reads before an empty prompt."""
    vocabulary = served.model.vocabulary
    first = _text_before(vocabulary)
    return {
        "tokenizer_class": "charrnn",
        "level": vocabulary.level,
        "vocab_size": len(vocabulary),
        "eos_token": first,
        "bos_token": first,
        "pad_token": None,
        "unk_token": None if vocabulary.unknown is None else vocabulary.tokens[vocabulary.unknown],
        "chat_template": None,
    }


def _text_before(vocabulary: Vocabulary) -> str:
    id = first_token(vocabulary)
    return END if id == vocabulary.end else _text([id], vocabulary)


def _text(ids: list[int], vocabulary: Vocabulary) -> str:
    joiner = tokenizer_of(vocabulary).joiner()
    return "".join([*map(joiner.add, vocabulary.decode(ids)), joiner.end()])
