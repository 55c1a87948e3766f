"""Hidden states after texts that a model has read, so that a text with the same beginning is not read again."""

from collections import Counter
from hashlib import blake2b
from typing import NamedTuple

from charrnn_cli.generation.long_texts import BLOCK
from charrnn_cli.generation.prompts import Prompt

OVERHEAD = 450  # bytes that an entry takes besides its state
KEY_BYTES = 16


class Entry(NamedTuple):
    """A state in the cache, and where it is listed."""

    state: bytes
    blocks: bytes  # the key of the whole blocks before it
    rest: int  # tokens after them


class StateCache:
    """States by the tokens before them, in at most `limit` bytes; the state that was not used for longest goes first.

    A text is known by the digest of its whole blocks (`Prompt.digests`) and the tokens after them. `owner` is part of
    every key: the model, and who may share its states.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.bytes = limit, 0
        self._entries: dict[bytes, Entry] = {}  # the oldest first
        self._rests: dict[bytes, Counter[int]] = {}  # for each key of whole blocks, the lengths of rests with a state

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, owner: bytes, prompt: Prompt) -> tuple[int, bytes | None]:
        """How many tokens of a prompt need not be read, and the state after them; at most all tokens but the last."""
        for blocks in range(prompt.to_read // BLOCK, -1, -1):
            key = _key(owner, prompt.digests[blocks])
            start = blocks * BLOCK
            for rest in sorted(self._rests.get(key, ()), reverse=True):
                if start + rest > prompt.to_read:
                    continue
                entry_key = _key(key, prompt.tokens(start, start + rest))
                if entry := self._entries.pop(entry_key, None):
                    self._entries[entry_key] = entry
                    return start + rest, entry.state
        return 0, None

    def put(self, owner: bytes, prompt: Prompt, position: int, state: bytes) -> None:
        """Keeps the state after the first `position` tokens of a prompt."""
        blocks, rest = divmod(position, BLOCK)
        key = _key(owner, prompt.digests[blocks])
        entry_key = _key(key, prompt.tokens(position - rest, position))
        self._remove(entry_key)
        self._entries[entry_key] = Entry(state, key, rest)
        self._rests.setdefault(key, Counter())[rest] += 1
        self.bytes += len(state) + OVERHEAD
        while self.bytes > self.limit:
            self._remove(next(iter(self._entries)))

    def _remove(self, entry_key: bytes) -> None:
        entry = self._entries.pop(entry_key, None)
        if entry is None:
            return
        self.bytes -= len(entry.state) + OVERHEAD
        rests = self._rests[entry.blocks]
        rests[entry.rest] -= 1
        if not rests[entry.rest]:
            del rests[entry.rest]
        if not rests:
            del self._rests[entry.blocks]


def _key(*parts: bytes) -> bytes:
    digest = blake2b(digest_size=KEY_BYTES)
    for part in parts:
        digest.update(part)
    return digest.digest()
