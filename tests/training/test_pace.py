import pytest

from charrnn_cli.config import TrainingSettings
from charrnn_cli.training.pace import Pace
from charrnn_cli.training.state import Numbers


@pytest.fixture
def clock():
    """Time that the test moves."""
    return [0.0]


def paced(clock, *arguments, **named):
    return Pace(*arguments, clock=lambda: clock[0], **named)


def test_progress_by_steps_epochs_and_minutes(clock):
    numbers = Numbers(step=5, epoch=1, window=5, seconds=30.0)
    assert paced(clock, TrainingSettings(steps=20), numbers, 10, 0).progress() == 0.25
    assert paced(clock, TrainingSettings(epochs=3), numbers, 10, 0).progress() == 0.5
    by_minutes = paced(clock, TrainingSettings(minutes=1), numbers, 10, 0)
    assert by_minutes.progress() == 0.5
    clock[0] += 15  # earlier sittings count, the time between them does not
    assert by_minutes.progress() == 0.75


def test_validation_is_due_when_it_is_worth_its_time_and_at_the_end(clock):
    numbers = Numbers()
    due = paced(clock, TrainingSettings(steps=100, batch_size=10, seq_length=10), numbers, 10, valid_tokens=100)
    steps = []
    for numbers.step in range(1, 101):
        if due.validation_due(finished=numbers.step == 100):
            steps.append(numbers.step)
            numbers.valid_step, numbers.valid_progress = numbers.step, numbers.step / 100
    assert steps == [*range(10, 101, 10)]
    assert not due.validation_due(finished=True)


def test_epoch_decay_is_validated_at_the_end_of_each_epoch(clock):
    numbers = Numbers()
    due = paced(clock, TrainingSettings(epochs=3, schedule="epoch-decay"), numbers, 10, valid_tokens=10**9)
    steps = []
    for numbers.step in range(1, 31):
        numbers.epoch, numbers.window = divmod(numbers.step, 10)
        if due.validation_due(finished=numbers.step == 30):
            steps.append(numbers.step)
            numbers.valid_step = numbers.step
    assert steps == [10, 20, 30]


def test_what_nothing_bounds_is_validated_twice_an_epoch(clock):
    numbers, settings = Numbers(), TrainingSettings(batch_size=10, seq_length=10, schedule="plateau", patience=3)
    due = paced(clock, settings, numbers, windows=40, valid_tokens=100)
    steps = []
    for numbers.step in range(1, 101):
        if due.validation_due(finished=False):
            steps.append(numbers.step)
            numbers.valid_step = numbers.step
    assert steps == [20, 40, 60, 80, 100]
    assert (due.progress(), due.seconds_left()) == (0, None)


def test_without_held_out_text_there_is_no_validation(clock):
    assert not paced(clock, TrainingSettings(steps=1), Numbers(step=1), 1, valid_tokens=0).validation_due(finished=True)


def test_saving_stays_under_2_percent_of_the_time(clock):
    numbers = Numbers()
    due = paced(clock, TrainingSettings(steps=10**9), numbers, 10, 0)
    saving = 0.0
    for numbers.step in range(1, 10_000):
        clock[0] += 1.0
        if due.checkpoint_due(at_once=False):
            clock[0] += 3.0
            saving += 3.0
            due.saved(3.0)
    assert 0 < saving < 0.02 * clock[0]


def test_checkpoints_every_so_many_steps_and_never_twice(clock):
    numbers = Numbers()
    due = paced(clock, TrainingSettings(steps=100, checkpoint_every=30), numbers, 10, 0)
    steps = []
    for numbers.step in range(1, 101):
        if due.checkpoint_due(at_once=numbers.step == 90):
            steps.append(numbers.step)
            due.saved(0.0)
            assert not due.checkpoint_due(at_once=True)
    assert steps == [30, 60, 90]
