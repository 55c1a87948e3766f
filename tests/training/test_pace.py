import pytest

from charrnn_cli.config import TrainingSettings
from charrnn_cli.training.counters import Counters
from charrnn_cli.training.pace import Pace


def test_progress_by_steps_epochs_and_minutes():
    counters = Counters(step=5, epoch=1, window=5, seconds=30.0)
    assert Pace(TrainingSettings(steps=20), counters, 10, 0).progress() == 0.25
    assert Pace(TrainingSettings(epochs=3), counters, 10, 0).progress() == 0.5
    by_minutes = Pace(TrainingSettings(minutes=1), counters, 10, 0)
    assert by_minutes.progress() == 0.5
    counters.seconds += 15
    assert by_minutes.progress() == 0.75


def test_reports_are_due_about_once_a_second_and_at_the_end():
    counters = Counters(seconds=100.0)
    pace = Pace(TrainingSettings(steps=100), counters, 10, 0)
    times = []
    for _ in range(100):
        counters.seconds += 0.3
        if pace.report_due(finished=False):
            times.append(counters.seconds - 100.0)
            pace.reported()
    assert times[:3] == pytest.approx([1.2, 2.4, 3.6])
    assert not pace.report_due(finished=False)
    assert pace.report_due(finished=True)


def test_validation_is_due_when_it_is_cheap_and_at_the_end():
    counters = Counters()
    due = Pace(TrainingSettings(steps=100, batch_size=10, seq_length=10), counters, 10, valid_tokens=100)
    steps = []
    for counters.step in range(1, 101):
        if due.validation_due(finished=counters.step == 100):
            steps.append(counters.step)
            counters.valid_step, counters.valid_progress = counters.step, counters.step / 100
    assert steps == [*range(10, 101, 10)]
    assert not due.validation_due(finished=True)


def test_epoch_decay_is_validated_at_the_end_of_each_epoch():
    counters = Counters()
    due = Pace(TrainingSettings(epochs=3, schedule="epoch-decay"), counters, 10, valid_tokens=10**9)
    steps = []
    for counters.step in range(1, 31):
        counters.epoch, counters.window = divmod(counters.step, 10)
        if due.validation_due(finished=counters.step == 30):
            steps.append(counters.step)
            counters.valid_step = counters.step
    assert steps == [10, 20, 30]


@pytest.mark.parametrize("limit", [{}, {"steps": 5000}], ids=str)
def test_a_run_that_ends_when_its_loss_does_is_validated_twice_per_epoch(limit):
    flags = {"batch_size": 10, "seq_length": 10, "schedule": "plateau", "patience": 3}
    counters, settings = Counters(), TrainingSettings(**flags, **limit)
    due = Pace(settings, counters, windows=40, valid_tokens=100)
    steps = []
    for counters.step in range(1, 101):
        if due.validation_due(finished=False):
            steps.append(counters.step)
            counters.valid_step = counters.step
    assert steps == [20, 40, 60, 80, 100]
    assert limit or (due.progress(), due.seconds_left()) == (0, None)


def test_without_held_out_text_there_is_no_validation():
    assert not Pace(TrainingSettings(steps=1), Counters(step=1), 1, valid_tokens=0).validation_due(finished=True)


def test_saving_stays_under_2_percent_of_the_time():
    counters = Counters()
    due = Pace(TrainingSettings(steps=10**9), counters, 10, 0)
    saving = 0.0
    for counters.step in range(1, 10_000):
        counters.seconds += 1.0
        if due.checkpoint_due(at_once=False):
            counters.seconds += 3.0
            saving += 3.0
            due.saved(3.0)
    assert 0 < saving < 0.02 * counters.seconds


def test_checkpoints_every_n_steps_and_never_twice():
    counters = Counters()
    due = Pace(TrainingSettings(steps=100, checkpoint_every=30), counters, 10, 0)
    steps = []
    for counters.step in range(1, 101):
        if due.checkpoint_due(at_once=counters.step == 90):
            steps.append(counters.step)
            due.saved(0.0)
            assert not due.checkpoint_due(at_once=True)
    assert steps == [30, 60, 90]
