import pytest

from charrnn_cli import threads as module
from charrnn_cli.threads import FIRST_RETRY, Threads, blas_threads, steady_threads


class Machine:
    """A machine on which a step takes some seconds, of which the main thread computes a share."""

    def __init__(self, most: int = 2) -> None:
        self.now = self.computed = 0.0
        self.number = most
        self.changes: list[int] = []
        self.threads = Threads(most, self.set, lambda: self.now, lambda: self.computed)

    def set(self, number: int) -> None:
        self.number = number
        self.changes.append(number)

    def run(self, seconds: float, step: dict[int, float], share: dict[int, float]) -> float:
        """Runs for some seconds, where a step takes `step[number of threads]`. Returns the number of steps."""
        end, steps = self.now + seconds, 0
        while self.now < end:
            self.threads.start()
            number = self.number
            self.now += step[number]
            self.computed += step[number] * share[number]
            self.threads.stop()
            steps += 1
        return steps


QUIET = {"step": {2: 0.06, 1: 0.1}, "share": {2: 0.97, 1: 0.99}}
BUSY = {"step": {2: 0.3, 1: 0.1}, "share": {2: 0.25, 1: 0.6}}


def test_a_quiet_machine_keeps_all_threads():
    machine = Machine()
    machine.run(300, **QUIET)
    assert machine.changes == []


def test_a_busy_machine_gets_one_thread_and_hardly_ever_retries():
    machine = Machine()
    steps = machine.run(600, **BUSY)
    assert machine.number == 1
    assert machine.changes[0] == 1
    assert steps >= 0.95 * 600 / BUSY["step"][1]


def test_all_threads_come_back_when_the_machine_is_quiet_again():
    machine = Machine()
    machine.run(5, **BUSY)
    machine.run(3 * FIRST_RETRY, **QUIET)
    assert machine.number == 2
    assert machine.changes == [1, 2]


def test_all_threads_stay_if_they_are_faster_although_they_wait():
    machine = Machine()
    machine.run(300, step={2: 0.06, 1: 0.1}, share={2: 0.7, 1: 0.9})
    assert machine.changes == [1, 2]


def test_a_pause_between_two_steps_does_not_count():
    machine = Machine()
    for _ in range(100):
        machine.run(0.06, **QUIET)
        machine.now += 5
    assert machine.changes == []


def test_a_single_core_changes_nothing():
    machine = Machine(most=1)
    machine.run(100, step={1: 0.5}, share={1: 0.1})
    assert machine.changes == []


@pytest.mark.parametrize(("seconds", "steps"), [(0.001, 500), (0.1, 5), (20.0, 1)])
def test_a_change_needs_half_a_second_or_one_step(seconds, steps):
    machine = Machine()
    for count in range(1, 2000):  # noqa: B007
        machine.run(seconds, step={2: seconds, 1: seconds}, share={2: 0.1, 1: 0.1})
        if machine.changes:
            break
    assert count == pytest.approx(steps, abs=1)


def test_reset_goes_back_to_all_threads():
    machine = Machine()
    machine.run(5, **BUSY)
    machine.threads.reset()
    assert machine.number == 2


def test_steady_threads_never_change():
    threads = steady_threads()
    for _ in range(100):
        threads.start()
        assert not threads.stop()


def test_the_environment_says_how_many_threads_numpy_has_at_most(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert blas_threads().most == 3


class Library:
    """A BLAS library."""

    number = 4

    def get_num_threads(self):
        return self.number

    def set_num_threads(self, number):
        self.number = number


def test_a_fixed_number_holds_during_steps_only(monkeypatch):
    library = Library()
    monkeypatch.setattr(module, "_openblas", lambda: [library])
    one, two = blas_threads(1), blas_threads(2)
    assert library.number == 4
    one.start()
    assert library.number == 1
    two.start()  # a step of another model, in another thread
    assert library.number == 2
    assert not one.stop()
    two.stop()
    assert library.number == 4
