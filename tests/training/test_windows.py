import numpy as np
import pytest
import torch

from charrnn_cli.config import TrainingSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.training.windows import Data, Windows, check_streams, joined, micro_batches

CPU = torch.device("cpu")
DATA = Data(np.arange(41, dtype=np.uint8), None)
SETTINGS = TrainingSettings(steps=1, batch_size=4, seq_length=3)


def test_y_are_the_ids_that_follow_x():
    windows = Windows(DATA, SETTINGS, ALONE, CPU, 41)
    read = [windows[k] for k in range(len(windows))]
    assert all(torch.equal(x + 1, y) and x.dtype == torch.int64 for x, y in read)
    assert torch.equal(torch.cat([x for x, _ in read], 1).flatten(), torch.arange(40))


@pytest.mark.parametrize("size", [2, 3, 4])
def test_ranks_share_the_streams_of_one_process(size):
    whole = Windows(DATA, SETTINGS, ALONE, CPU, 41)
    shares = [Windows(DATA, SETTINGS, Ranks(rank, size), CPU, 41) for rank in range(size)]
    for k in range(len(whole)):
        assert torch.equal(torch.cat([share[k][0] for share in shares]), whole[k][0])


def test_an_id_outside_of_the_vocabulary_is_refused():
    with pytest.raises(RunError, match="40"):
        windows = Windows(DATA, SETTINGS, ALONE, CPU, 40)
        for k in range(len(windows)):
            windows[k]


def test_a_batch_that_is_too_large_or_too_small_is_refused():
    with pytest.raises(UsageError, match="`batch_size=41` is too large for a text of 41 tokens"):
        check_streams(DATA, TrainingSettings(steps=1, batch_size=41), ALONE)
    assert check_streams(DATA, TrainingSettings(steps=1, batch_size=40), ALONE) == 1
    with pytest.raises(UsageError, match=r"too small for 3 processes and `accumulate=2`. Pass at least 6"):
        check_streams(DATA, TrainingSettings(steps=1, batch_size=4, accumulate=2), Ranks(0, 3))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_micro_batches_join_to_the_whole(count):
    x, y, hidden = torch.arange(10).view(5, 2), torch.arange(10, 20).view(5, 2), (torch.randn(3, 5, 7),)
    parts = micro_batches(x, y, hidden, count)
    assert [part.last for part in parts] == [False] * (count - 1) + [True]
    assert torch.equal(torch.cat([part.x for part in parts]), x)
    assert torch.equal(torch.cat([part.y for part in parts]), y)
    for number, part in enumerate(parts):
        part.loss = torch.tensor(float(number))
    loss, (state,) = joined(parts)
    assert loss == sum(range(count))
    assert torch.equal(state, hidden[0])
