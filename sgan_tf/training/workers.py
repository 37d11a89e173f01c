"""Training on several machines: what the processes of one run have to agree on.

Under `TF_CONFIG`, every worker runs the same command, and `MultiWorkerMirroredStrategy` keeps their
weights equal. Only the chief, worker 0, writes. What a process decides from its clock or its
signals (the number of steps per call, whether to stop) is gathered, so that all decide alike.
"""

import zlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from sgan_tf.errors import UserError
from sgan_tf.runs.run import Run


class WorkerError(UserError):
    """The workers cannot train one run together; the message says why."""


class Workers:
    """The processes that train one run, or the only process if the strategy has one.

    Args:
        strategy: `tf.distribute` strategy. The strategy that the run is trained with.

    Attributes:
        index: Integer. The index of this process. The chief has 0.
        count: Integer. The number of processes.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.strategy = strategy
        resolver = strategy.cluster_resolver
        spec = resolver.cluster_spec() if resolver else None
        self.count = max(1, spec.num_tasks("worker")) if spec and spec.jobs else 1
        self.index = resolver.task_id if self.count > 1 else 0
        self._gather = tf.function(self._all_gather)

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    def gather(self, *numbers: float) -> np.ndarray:
        """Waits for all workers, and gathers their numbers.

        Args:
            *numbers: Floats. The numbers of this worker.

        Returns:
            float64 `np.ndarray` `[workers, len(numbers)]`. The numbers of every worker.
        """
        row = np.array(numbers, np.float64)[None]
        if self.count == 1:
            return row
        with self.strategy.scope():
            rows = self._gather(tf.constant(row)).numpy()
        return rows[:: len(rows) // self.count]  # the devices of a worker have equal rows

    def _all_gather(self, row):
        def everyone():
            here = tf.identity(row)  # on the replica's device, as collectives require
            return tf.distribute.get_replica_context().all_gather(here, axis=0)

        return self.strategy.experimental_local_results(self.strategy.run(everyone))[0]

    def open_run(self, open_run: Callable[[bool], Run]) -> Run:
        """Opens a run folder on every worker, on the chief first, which may have to create it.

        Args:
            open_run: Function `(writes)` that returns the `Run` with its `config` and its data
                recorded. `writes` is whether this process writes to the folder.

        Returns:
            The `Run` of this process.

        Raises:
            UserError: what `open_run` raised in this process.
            WorkerError: when another worker cannot open it, has another configuration or sees
                another state of the folder.
        """
        run: Run | None = None
        failure: UserError | None = None
        for writing in (True, False):
            if writing == self.is_chief:
                try:
                    run = open_run(writing)
                except UserError as error:
                    failure = error
            failed = self.gather(float(failure is not None))
            if failed.any():
                raise failure or WorkerError(
                    f"worker {int(failed[:, 0].argmax())} could not open the run; see what it says"
                )
        assert run is not None  # else the worker's failure was raised
        self._compare(run)
        return run

    def _compare(self, run):
        progress = [run.progress(name).step for name in run.config.sections()]
        state = self.gather(zlib.crc32(run.config.to_json().encode()), *progress)
        different = (state != state[0]).any(axis=1)
        if different.any():
            raise WorkerError(
                f"worker {int(different.argmax())} has another configuration than worker 0, or "
                "sees another run folder: give all of them the same command, and a shared folder"
            )
