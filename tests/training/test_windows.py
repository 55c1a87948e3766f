import dataclasses

import numpy as np
import pytest
import torch

from charrnn_cli.config import TrainingSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.training.windows import Data, Windows, check_streams, upload

CPU, GPU = torch.device("cpu"), torch.device("cuda")
DATA = Data(np.arange(41, dtype=np.uint8), None)
SETTINGS = TrainingSettings(steps=1, batch_size=4, seq_length=3)


def test_y_are_the_ids_that_follow_x():
    windows = Windows(DATA, SETTINGS, ALONE, CPU, 41)
    read = [windows.at(0, k) for k in range(len(windows))]
    assert all(torch.equal(x + 1, y) and x.dtype == torch.int64 for x, y in read)
    assert torch.equal(torch.cat([x for x, _ in read], 1).flatten(), torch.arange(40))


@pytest.mark.parametrize("size", [2, 3, 4])
def test_ranks_share_the_streams_of_one_process(size):
    whole = Windows(DATA, SETTINGS, ALONE, CPU, 41)
    shares = [Windows(DATA, SETTINGS, Ranks(rank, size), CPU, 41) for rank in range(size)]
    for k in range(len(whole)):
        assert torch.equal(torch.cat([share.at(0, k)[0] for share in shares]), whole.at(0, k)[0])


def test_epochs_with_a_random_offset_read_every_token_once_in_windows_that_end_elsewhere():
    windows = Windows(DATA, dataclasses.replace(SETTINGS, random_offset=True, seed=3), ALONE, CPU, 41)
    starts = set()
    for epoch in range(6):
        read = [windows.at(epoch, k) for k in range(len(windows))]
        assert all(torch.equal(x + 1, y) for x, y in read)
        x = torch.cat([x for x, _ in read], 1)
        assert torch.equal(x.sort(1).values.flatten(), torch.arange(40))
        assert all(torch.equal(a, b) for a, b in zip(windows.at(epoch, 1), read[1], strict=True))  # when it resumes
        starts.add(int(x[0, 0]))
    assert len(starts) > 2


def test_shuffled_documents_are_read_in_another_order_in_each_epoch():
    text = np.array([id for k in range(1, 9) for id in (k, k, 0)] + [9], np.uint8)
    settings = dataclasses.replace(SETTINGS, shuffle_documents=True, random_offset=True)
    windows = Windows(Data(text, None, end=0), settings, ALONE, CPU, 10)
    orders = []
    resumed = Windows(Data(text, None, end=0), settings, ALONE, CPU, 10, epoch=1)
    for epoch, found in (0, windows), (1, windows), (2, windows), (1, windows), (1, resumed):
        read = [found.at(epoch, k)[0] for k in range(len(found))]
        orders.append(torch.cat(read, 1).flatten().tolist())
        assert sorted(orders[-1]) == sorted(text[:-1].tolist())
    assert orders[1] == orders[3] == orders[4]
    assert len({tuple(order) for order in orders}) == 3


def test_an_id_outside_of_the_vocabulary_is_refused():
    with pytest.raises(RunError, match="40"):
        windows = Windows(DATA, SETTINGS, ALONE, CPU, 40)
        for k in range(len(windows)):
            windows.at(0, k)


def test_a_batch_that_is_too_large_or_too_small_is_refused():
    with pytest.raises(UsageError, match="`batch_size=41` is too large for a text of 41 tokens"):
        check_streams(DATA, TrainingSettings(steps=1, batch_size=41), ALONE)
    assert check_streams(DATA, TrainingSettings(steps=1, batch_size=40), ALONE) == 1
    with pytest.raises(UsageError, match=r"too small for 3 processes and `accumulate=2`. Pass at least 6"):
        check_streams(DATA, TrainingSettings(steps=1, batch_size=4, accumulate=2), Ranks(0, 3))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_ids_are_uploaded_in_slices(monkeypatch, dtype):
    monkeypatch.setattr("charrnn_cli.training.windows.UPLOADED_IDS", 16)
    ids = np.random.default_rng(0).integers(0, 200, 41).astype(dtype)
    uploaded = upload(ids, CPU, 200)
    assert uploaded.dtype == (torch.uint8 if dtype == np.uint8 else torch.int32)
    assert np.array_equal(uploaded.numpy(), ids)
    with pytest.raises(RunError, match="the id 199"):
        upload(np.append(ids, 199).astype(dtype), CPU, 199)


@pytest.mark.parametrize(("dtype", "bytes_per_id"), [(np.uint8, 1), (np.uint16, 4), (np.uint32, 4)])
def test_ids_go_to_a_gpu_only_if_they_fit_there(dtype, bytes_per_id):
    data, elsewhere = Data(np.arange(41, dtype=dtype), None), torch.device("meta")
    for memory, fits in ((41 * bytes_per_id, True), (41 * bytes_per_id - 1, False)):
        windows = Windows(data, SETTINGS, ALONE, elsewhere, 41, memory)
        assert (windows.at(0, 0)[0].device.type, isinstance(windows._batches.x, torch.Tensor)) == ("meta", fits)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("memory", [0.0, 1e9])
def test_windows_on_a_gpu_are_those_on_the_cpu(memory):
    expected, found = Windows(DATA, SETTINGS, ALONE, CPU, 41), Windows(DATA, SETTINGS, ALONE, GPU, 41, memory)
    for k in range(len(expected)):
        assert all(torch.equal(a, b.cpu()) for a, b in zip(expected.at(0, k), found.at(0, k), strict=True))
