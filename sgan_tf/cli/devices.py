"""Chooses devices and precision from `--devices`, `--precision` and TF_CONFIG."""

import json
import os
from typing import TYPE_CHECKING

from sgan_tf.cli.app import UsageError
from sgan_tf.cli.startup import import_tensorflow
from sgan_tf.errors import first_line
from sgan_tf.runs.environment import best_precision

if TYPE_CHECKING:
    import tensorflow as tf


def several_machines() -> bool:
    """Returns whether TF_CONFIG makes this process one of several workers.

    Raises:
        UsageError: If TF_CONFIG is invalid.
    """
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
        return len(cluster.get("worker", [])) > 1
    except (ValueError, AttributeError) as error:
        raise UsageError(f"TF_CONFIG: it is not what TensorFlow reads ({error})") from error


def strategy(devices: str, batch_size: int = 0) -> "tf.distribute.Strategy":
    """Returns the `tf.distribute` strategy of `--devices`, or of TF_CONFIG's workers.

    Args:
        devices: String. A number of GPUs, `all` (every GPU, or the CPU if there is none) or `cpu`.
        batch_size: Integer. Global batch size, which the number of devices must divide; 0 if
            nothing is trained. Defaults to 0.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        UsageError: If there are fewer devices, or if they do not divide the batch.
    """
    import tensorflow as tf

    if several_machines():
        return _workers(batch_size)
    # Logical devices, as a GPU, or a CPU in tests, may be split into several.
    gpus = [
        device.name.removeprefix("/device:") for device in tf.config.list_logical_devices("GPU")
    ]
    cpus = [
        device.name.removeprefix("/device:") for device in tf.config.list_logical_devices("CPU")
    ]
    if devices == "cpu" or (devices == "all" and not gpus):
        return (
            tf.distribute.get_strategy() if not gpus else tf.distribute.OneDeviceStrategy(cpus[0])
        )
    if devices != "all" and not (devices.isdecimal() and int(devices) > 0):
        raise UsageError(f"--devices: '{devices}' is neither a number, all nor cpu")
    count = len(gpus) if devices == "all" else int(devices)
    available, kind = (gpus, "GPUs") if gpus else (cpus, "devices (no GPU was found)")
    if count > len(available):
        raise UsageError(f"--devices: {count} asked for, but there are {len(available)} {kind}")
    if batch_size % count:
        raise UsageError(
            f"--devices: {count} devices do not divide the batch size {batch_size}; change --set "
            "batch_size"
        )
    if count == 1:
        return (
            tf.distribute.get_strategy() if not gpus else tf.distribute.OneDeviceStrategy(gpus[0])
        )
    across = None if gpus else tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(available[:count], cross_device_ops=across)


def precision(asked: str) -> str:
    """Returns the precision of `--precision`.

    Args:
        asked: String. `float32`, `bfloat16`, or `auto` for the faster one on this machine.

    Returns:
        `"float32"` or `"bfloat16"`.
    """
    if asked != "auto":
        return asked
    import_tensorflow()
    return best_precision()


def _workers(batch_size):
    """Returns the strategy of TF_CONFIG's workers. Create it before computing anything else."""
    import tensorflow as tf

    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, RuntimeError, KeyError, tf.errors.OpError) as error:
        reason = first_line(error)
        raise UsageError(f"TF_CONFIG: the workers cannot be joined ({reason})") from error
    check_batch(strategy, batch_size)
    return strategy


def check_batch(strategy: "tf.distribute.Strategy", batch_size: int) -> None:
    """Checks that the devices of TF_CONFIG's workers divide the batch.

    Args:
        strategy: `tf.distribute.Strategy` of the workers.
        batch_size: Integer. Global batch size.

    Raises:
        UsageError: If they do not.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UsageError(
            f"TF_CONFIG: {replicas} devices do not divide the batch size {batch_size}; change "
            "--set batch_size"
        )
