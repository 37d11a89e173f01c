"""`MetricsLog` records the measurements of training, one line of JSON per epoch."""

import json
import logging
import pathlib

from sgan_tf.utils.files import write_whole

log = logging.getLogger("sgan_tf")


class MetricsLog:
    """The file `metrics.jsonl` of a run folder.

    Args:
        path: `pathlib.Path`. The file, which need not exist.
        writes: Boolean. Whether this process writes to the file. Defaults to True.
    """

    def __init__(self, path: pathlib.Path, writes: bool = True) -> None:
        self.path, self.writes = path, writes

    def append(self, line: dict) -> None:
        """Appends a line.

        Args:
            line: Dictionary. It has at least the keys `stage`, `epoch` and `step`.
        """
        if self.writes:
            with open(self.path, "a") as file:
                file.write(json.dumps(line) + "\n")

    def read(self) -> list[dict]:
        """Returns the lines as a list of dictionaries. Damaged lines are dropped with a warning."""
        lines = []
        text = self.path.read_text(errors="replace") if self.path.exists() else ""
        for number, line in enumerate(text.splitlines(), 1):
            try:
                values = json.loads(line)
                if not {"stage", "epoch", "step"} <= values.keys():
                    raise ValueError
                lines.append(values)
            except (ValueError, AttributeError):
                log.warning("%s: dropped line %d, which is damaged", self.path, number)
        return lines

    def forget(self, stage: str, step: int) -> None:
        """Removes the lines of a stage after a step.

        Args:
            stage: String. The stage's name.
            step: Integer. The step from which the stage resumes.
        """
        lines = self.read()
        kept = [line for line in lines if line["stage"] != stage or line["step"] <= step]
        if lines and self.writes:
            write_whole(self.path, "".join(json.dumps(line) + "\n" for line in kept))
