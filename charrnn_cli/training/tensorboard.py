"""A run's log as event files of TensorBoard."""

import shutil
from importlib import import_module
from types import TracebackType
from typing import Any

from charrnn_cli.errors import UsageError, disk_errors
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.log import read_log

SCALARS = {  # for each kind of record, TensorBoard's name of each field
    "report": {"loss": "loss/train", "rate": "learning rate", "tokens_per_second": "tokens per second"},
    "validation": {"valid_loss": "loss/valid"},
}


def check_tensorboard() -> None:
    """Raises UsageError if TensorBoard is not installed."""
    try:
        import_module("torch.utils.tensorboard.writer")
    except ImportError as error:
        raise UsageError(
            "`tensorboard` needs TensorBoard, which is not installed. Type: pip install tensorboard"
        ) from error


class EventFiles:
    """Writes records of a log, starting with those up to `step` in the log; removes older event files.

    Raises UsageError if TensorBoard is not installed, DiskError.
    """

    def __init__(self, run: Run, step: int) -> None:
        check_tensorboard()
        from torch.utils.tensorboard.writer import SummaryWriter

        with disk_errors("write", run.tensorboard):
            shutil.rmtree(run.tensorboard, ignore_errors=True)
            self._writer = SummaryWriter(str(run.tensorboard))
        for record in read_log(run.log):
            if record.get("step", 0) <= step:
                self.write(record)

    def __enter__(self) -> "EventFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._writer.close()

    def write(self, record: dict[str, Any]) -> None:
        """Writes the fields of a record that TensorBoard shows."""
        for field, name in SCALARS.get(record.get("kind", ""), {}).items():
            if isinstance(record.get(field), float):  # another value is damage
                self._writer.add_scalar(name, record[field], record["step"])
