import subprocess
import sys

from charrnn_cli.training.closing import closed_at_exit

PROGRAM = """
from charrnn_cli.training.closing import closed_at_exit

@closed_at_exit
def numbers(name):
    try:
        yield from range(9)
    finally:
        import json  # works only while the interpreter is whole
        print(json.dumps(name))

open_one, closed = numbers("open"), numbers("closed")
next(open_one), next(closed)
closed.close()
print("end")
"""


def test_a_generator_that_is_still_open_is_closed_at_the_end():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == (['"closed"', "end", '"open"'], "")


def test_it_is_a_generator_like_any_other():
    @closed_at_exit
    def count(until: int):
        """Counts."""
        yield from range(until)

    assert list(count(3)) == [0, 1, 2]
    assert (count.__name__, count.__doc__) == ("count", "Counts.")
