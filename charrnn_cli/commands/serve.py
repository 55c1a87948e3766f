"""charrnn serve: answers HTTP requests with texts."""

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn_cli.commands.completion import complete_models
from charrnn_cli.commands.options import EngineOption, ThreadsOption, with_settings
from charrnn_cli.config import ADDRESS, ServeSettings

if TYPE_CHECKING:
    from charrnn_cli.web.server import ShowLoad

KEY_VARIABLE = "CHARRNN_API_KEY"


@with_settings(ServeSettings)
def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="Names of runs or bundled models, or folders.  [default: the run trained last, or anna]",
            autocompletion=complete_models,
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Answer only requests with this key. Other users of the machine can see it on the command line, but "
            f"not in the environment variable {KEY_VARIABLE}.  [default: {KEY_VARIABLE}]",
            rich_help_panel=ADDRESS,
        ),
    ] = None,
    engine: EngineOption = "auto",
    threads: ThreadsOption = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Serve models over HTTP, with the interface of OpenAI's completions. Ctrl-C stops the server.

    \b
    charrnn serve
    charrnn serve anna shakespeare --port 9000
    curl http://127.0.0.1:8000/v1/completions -d '{"prompt": "Far", "max_tokens": 100}'
    """
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    checked = ServeSettings(**values)
    key = api_key or os.environ.get(KEY_VARIABLE)  # typer's `envvar` has no effect in its release 0.26.0

    from charrnn_cli.machine import keep_freed_memory
    from charrnn_cli.web.server import address_of, allow_many_connections, listen, new_server, open_models

    keep_freed_memory()
    with ExitStack() as stack:
        sock = stack.enter_context(listen(checked, key))
        served = open_models(models or [], engine, threads)

        def announce() -> "ShowLoad":
            """Says what is served, and where. Imports the terminal late, so that the server accepts requests sooner."""
            from charrnn_cli.terminal.console import new_console, say
            from charrnn_cli.terminal.serving import ServingLine

            console = new_console()
            for one in served:
                say(console, one.model.description)
            say(console, f"Serving at {address_of(sock)}. Ctrl-C stops it.")
            return stack.enter_context(ServingLine(console)).show

        allow_many_connections()
        new_server(served, checked, key, sock, announce).run(sockets=[sock])
