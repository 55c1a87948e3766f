"""Flags made from settings, flags that several commands share, and help that shows options in groups."""

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import Field, fields
from typing import Annotated, Any, Literal, get_args, get_type_hints

import typer
from typer.core import TyperCommand

from charrnn_cli.commands.completion import complete_checkpoints, complete_models
from charrnn_cli.commands.flags import as_flags, flag
from charrnn_cli.config import DEVICE, GROUPS, MODEL, OUTPUT, TEXT, Documents, EngineName, Unscorable
from charrnn_cli.network.cells import CELLS
from charrnn_cli.setting import Checked

LIKE_TRAINING = "[default: as for the model's own text]"

ModelOption = Annotated[
    str | None,
    typer.Option(
        help="A run, a bundled model or a folder.  [default: the run trained last, or anna]",
        rich_help_panel=MODEL,
        autocompletion=complete_models,
    ),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        metavar="STEP",
        help="Use a checkpoint of the run: its step, first, last or best.  [default: best]",
        rich_help_panel=MODEL,
        autocompletion=complete_checkpoints,
    ),
]
EngineOption = Annotated[
    EngineName, typer.Option(help="What computes the network; onnx uses 8-bit weights.", rich_help_panel=MODEL)
]
GpuOption = Annotated[bool, typer.Option("--gpu", help="Require a CUDA GPU.", rich_help_panel=DEVICE)]
CpuOption = Annotated[bool, typer.Option("--cpu", help="Use the CPU even if there is a GPU.", rich_help_panel=DEVICE)]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        help="A PyTorch device, such as cpu, cuda:1, mps or xpu.  [default: a CUDA GPU if there is one]",
        rich_help_panel=DEVICE,
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        help="Number of CPU threads.  [default: all cores; 1 for writing with NumPy]",
        rich_help_panel=DEVICE,
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(help=f"Text encoding of the files, such as cp1252 or utf-16.  {LIKE_TRAINING}", rich_help_panel=TEXT),
]
DocumentsOption = Annotated[
    Documents | None,
    typer.Option(help=f"Treat each file, line or record as a document.  {LIKE_TRAINING}", rich_help_panel=TEXT),
]
FieldOption = Annotated[
    str | None,
    typer.Option(
        help=f"Read JSON Lines, and take the text from this field of each record.  {LIKE_TRAINING}",
        rich_help_panel=TEXT,
    ),
]
UnscorableOption = Annotated[
    Unscorable,
    typer.Option(
        "--unknown",
        help="What to do with parts of the text that the model does not know, if it has no <unk>: report them or "
        "skip them.",
        rich_help_panel=TEXT,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.", rich_help_panel=OUTPUT)]


class GroupedCommand(TyperCommand):
    """A command whose help lists its options in groups."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the arguments, then each group of options under its title."""
        groups: dict[str, list[tuple[str, str]]] = {title: [] for title in ("Arguments", *GROUPS, "Options")}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups[_title(parameter)].append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _title(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    return getattr(parameter, "rich_help_panel", None) or "Options"


def with_settings(
    *kinds: type[Checked], without: Iterable[str] = (), negatable: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds a flag for every setting of `kinds` to a command, in place of its parameter `settings`.

    The command gets a dictionary of the settings that were typed. `negatable` gives switches a --no- form.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        flags = {
            one.name: _parameter(kind, one, negatable)
            for kind in kinds
            for one in fields(kind)  # type: ignore[arg-type]  # every kind is a dataclass
            if one.name not in without
        }
        signature = inspect.signature(command, eval_str=True)
        own = [parameter for name, parameter in signature.parameters.items() if name != "settings"]

        @functools.wraps(command)
        def run(**values: Any) -> None:
            values["settings"] = {name: value for name in flags if _was_typed(value := values.pop(name))}
            command(**values)

        parameters = [*own, *flags.values()]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _was_typed(value: Any) -> bool:
    return value is not None and value != []


def _parameter(kind: type[Checked], one: "Field[Any]", negatable: bool) -> inspect.Parameter:
    """The command's parameter for one setting; None means that it was not typed."""
    value_type = get_type_hints(kind)[one.name]
    name = flag(one.name)
    declarations: tuple[str, ...] = ()
    if one.name == "cell":
        value_type = Literal[tuple(CELLS)]
    elif value_type is bool:
        declarations = (f"{name}/--no-{name[2:]}",) if negatable else (name,)
    elif isinstance(one.default, tuple):
        value_type = list[get_args(value_type)[0]]  # type: ignore[misc]  # such as list[str]
    option = typer.Option(
        *declarations,
        help=as_flags(one.metadata["help"]) + _default_words(one, negatable),
        rich_help_panel=one.metadata["group"],
        metavar="TEXT" if isinstance(one.default, tuple) else None,
        show_default=False,
    )
    annotation = Annotated[value_type | None, option]  # type: ignore[valid-type]
    return inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _default_words(one: "Field[Any]", negatable: bool) -> str:
    """The default, as the help shows it; a plain switch is off and needs no word."""
    shown = one.metadata["shown"]
    if shown is None and isinstance(one.default, bool):
        if not negatable:
            return ""
        shown = "on" if one.default else "off"
    if shown is None:
        shown = f"{one.default:g}" if isinstance(one.default, float) else one.default
    return f"  [default: {shown}]"
