"""Generators that are closed before the interpreter ends, because they could not finish their work later."""

import atexit
import functools
import weakref
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Yielded = TypeVar("Yielded")


def closed_at_exit(
    function: Callable[Parameters, Generator[Yielded, None, None]],
) -> Callable[Parameters, Generator[Yielded, None, None]]:
    """Closes the generators that a function makes when the interpreter ends."""

    @functools.wraps(function)
    def decorated(*arguments: Parameters.args, **named: Parameters.kwargs) -> Generator[Yielded, None, None]:
        generator = function(*arguments, **named)
        reference = weakref.ref(generator)

        def close() -> None:
            running = reference()
            if running is not None:
                with suppress(ValueError):  # it runs in a daemon thread
                    running.close()

        atexit.register(close)
        return generator

    return decorated
