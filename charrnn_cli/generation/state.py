"""What a model remembers of a text: a state that can be stored, and continued any number of times."""

import hashlib
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from charrnn_cli.errors import UsageError

RECENT_TOKENS = 4096  # at the end of a text: the next text is joined to them, and the repetition penalty sees them
JOINED_TOKENS = {
    "char": 4,
    "byte": 4,
    "subword": 4,
    "word": RECENT_TOKENS,
}  # those that decide how the next text is joined
STATE_FORMAT = "charrnn state 1"  # the number grows with each change of the format
NUMBERS = np.dtype("<f4")  # of the hidden state in bytes


@dataclass(frozen=True, eq=False)
class State:
    """What a model remembers of a text that it has read. It never changes, so any number of texts can start from it.

    It works with every engine, but only with the model that made it. It contains the last 4,096 tokens, but not the
    text before them.
    """

    hidden: NDArray[np.float32] = field(repr=False)  # (N,), before the last token; N numbers for all layers
    last: int  # the id of the last token, which the model reads next; for an empty text, that of `first_token`
    recent: tuple[int, ...] = field(repr=False)  # the ids of the last tokens, up to `RECENT_TOKENS`
    model: str  # SHA-256 of the weights; empty for a model that was never stored

    def __post_init__(self) -> None:
        self.hidden.setflags(write=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The state as bytes: 4 bytes for each number of the hidden state, and 1 to 5 for each of the last tokens."""
        content = (self.model, self.last, self.recent, self.hidden.astype(NUMBERS).tobytes())
        packed = msgspec.msgpack.encode(content)
        return msgspec.msgpack.encode((STATE_FORMAT, hashlib.sha256(packed).digest(), packed))

    @classmethod
    def from_bytes(cls, data: bytes) -> "State":
        """The state from the bytes that `to_bytes` returned. They contain no code, so a stranger's are safe to read.

        Raises UsageError for bytes that are damaged, of another version, or not a state.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise UsageError(f"`data` must be the bytes that `State.to_bytes` returned, got {data!r}.")
        try:
            format, checksum, packed = msgspec.msgpack.decode(data, type=tuple[str, bytes, bytes])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError("these bytes are not a state. Pass the bytes that `State.to_bytes` returned.") from error
        if format != STATE_FORMAT:
            raise UsageError(f"these bytes have the format {format!r}; this version reads only {STATE_FORMAT!r}.")
        if checksum != hashlib.sha256(packed).digest():
            raise UsageError("the bytes of the state are damaged: their checksum does not match. Read the text again.")
        try:
            model, last, recent, hidden = msgspec.msgpack.decode(packed, type=tuple[str, int, tuple[int, ...], bytes])
            return cls(np.frombuffer(hidden, NUMBERS).astype(np.float32), last, recent, model)
        except (msgspec.DecodeError, ValueError) as error:
            raise UsageError(f"the bytes of the state are damaged: {error}. Read the text again.") from error
