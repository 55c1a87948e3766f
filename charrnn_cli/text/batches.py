"""B parallel streams of a text, cut into windows of T tokens: pairs (x, y) in reading order."""

from typing import Generic, Protocol, TypeVar

TokenArray = TypeVar("TokenArray", bound="Sliceable")


class Sliceable(Protocol):
    """The methods used here, which NumPy arrays and torch tensors have in common."""

    def __len__(self) -> int: ...
    def __getitem__(self: TokenArray, index: slice | tuple[slice, slice], /) -> TokenArray: ...
    def reshape(self: TokenArray, *shape: int) -> TokenArray: ...

    @property
    def shape(self) -> tuple[int, ...]: ...


def stream_length(tokens: int, batch_size: int) -> int:
    """Number of tokens of a text that each of B streams reads. Raises ValueError if there are too few."""
    if tokens <= batch_size:
        raise ValueError(f"{tokens} tokens do not fill {batch_size} streams")
    return (tokens - 1) // batch_size


class Batches(Generic[TokenArray]):
    """The windows of an epoch over `tokens` (N,), an array or a tensor, without copying it.

    The text is cut into B streams of S = (N - 1) // B tokens, which are read in parallel. Window i is x, y (B, T): the
    next T tokens of every stream (the last window may be shorter), and for each token the one that follows it in the
    text.
    """

    def __init__(self, tokens: TokenArray, batch_size: int, seq_length: int) -> None:
        B, S = batch_size, stream_length(len(tokens), batch_size)
        self.x = tokens[: B * S].reshape(B, S)
        self.y = tokens[1 : B * S + 1].reshape(B, S)
        self.seq_length = seq_length
        self.windows = -(-S // seq_length)  # rounded up

    def __len__(self) -> int:
        return self.windows

    def pieces(self, index: int, offset: int = 0) -> list[tuple[TokenArray, TokenArray]]:
        """Window `index` of an epoch that starts at token `offset` of each stream and ends just before that token.

        Two pieces (B, T1) and (B, T2) if the window continues at the start of the streams, else one.
        """
        if not 0 <= index < self.windows:
            raise IndexError(index)
        S = self.x.shape[1]
        length = min(self.seq_length, S - index * self.seq_length)
        start = (offset + index * self.seq_length) % S
        ends = [slice(start, min(start + length, S))]
        if start + length > S:
            ends.append(slice(0, start + length - S))
        return [(self.x[:, window], self.y[:, window]) for window in ends]
