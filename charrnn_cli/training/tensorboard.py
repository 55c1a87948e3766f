"""A run's log as TensorBoard's event files, for those who live there."""

import shutil
from types import TracebackType
from typing import Any

from charrnn_cli.errors import UsageError, disk_errors
from charrnn_cli.runs.folders import Run
from charrnn_cli.runs.log import read_log

SCALARS = {  # of the log's records: TensorBoard's name for each, by the field
    "report": {"loss": "loss/train", "rate": "learning rate", "tokens_per_second": "tokens per second"},
    "validation": {"valid_loss": "loss/valid"},
}


class EventFiles:
    """Writes records as they come; begins with those that the log has, up to `step`, so that nothing is there twice.

    Raises UsageError where TensorBoard is not installed, DiskError.
    """

    def __init__(self, run: Run, step: int) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise UsageError(
                "--tensorboard needs TensorBoard, which is not installed. Type: pip install tensorboard"
            ) from error
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
        """Writes what TensorBoard shows of a record."""
        for field, name in SCALARS.get(record.get("kind", ""), {}).items():
            self._writer.add_scalar(name, record[field], record["step"])
