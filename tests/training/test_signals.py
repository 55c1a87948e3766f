import os
import signal
import subprocess
import sys
import threading

import pytest

from charrnn_cli.training.signals import Signals


def nothing():
    pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noted_and_the_old_handler_comes_back(number):
    before = signal.getsignal(number)
    with Signals(patient=False, before_exit=nothing) as signals:
        assert (signals.stop(), signals.exit_code) == (False, 0)
        os.kill(os.getpid(), number)
        assert (signals.stop(), signals.exit_code) == (True, 128 + number)
    assert signal.getsignal(number) is before


def test_a_patient_process_survives_several_signals():
    with Signals(patient=True, before_exit=nothing) as signals:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert signals.stop()


def test_a_second_signal_ends_the_process_at_once():
    code = (
        "import os, signal\nfrom charrnn_cli.training.signals import Signals\n"
        "with Signals(False, lambda: print('restored', flush=True)):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n    print('first', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n    print('never')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (128 + signal.SIGTERM, ["first", "restored"])


def test_without_an_exit_a_second_signal_does_what_it_did_before():
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    try:
        with Signals(patient=False) as signals:
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.stop()
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, inherited)


def test_a_call_asks_to_stop_like_a_signal():
    signals = Signals(patient=False)
    assert not signals.stop()
    signals.ask_to_stop()
    assert (signals.stop(), signals.exit_code) == (True, 0)


def test_outside_of_the_main_thread_signals_are_left_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with Signals(patient=False, before_exit=nothing) as signals:
            seen.append((signal.getsignal(signal.SIGINT), signals.stop()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, False)]
