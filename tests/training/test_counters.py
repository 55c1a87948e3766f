from charrnn_cli.training.counters import Counters


def test_windows_make_epochs():
    counters = Counters()
    ends = [counters.advance(windows=3) for _ in range(7)]
    assert ends == [False, False, True, False, False, True, False]
    assert (counters.step, counters.epoch, counters.window) == (7, 2, 1)


def test_what_the_run_has_done():
    counters = Counters(step=5, epoch=2, seconds=90.0)
    assert [counters.done(bound) for bound in ("steps", "epochs", "minutes")] == [5, 2, 1.5]


def test_patience():
    assert not Counters(stalled=2).out_of_patience(3)
    assert Counters(stalled=3).out_of_patience(3)
    assert not Counters(stalled=99).out_of_patience(None)
