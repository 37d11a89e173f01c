"""What the programs share: one-line errors, exit codes, logging."""

import json
import logging
import os
import shlex
import signal
import sys

from absl import app, flags
from absl import logging as absl_logging

from sgan_tf.errors import UserError


class UsageError(UserError):
    """A flag that cannot be; the message names it."""


def run(main):
    """Parses the flags, runs `main()` and exits; users' errors are one line and exit code 2."""
    absl_logging.set_verbosity(absl_logging.ERROR)  # TFDS reports every file it opens

    def parse(argv):
        try:
            rest = flags.FLAGS(argv)
            if len(rest) > 1:
                raise flags.Error(f"unexpected argument '{rest[1]}'")
            return rest
        except flags.Error as error:
            _die(str(error).splitlines()[0] + "; --help lists the flags")

    app.run(lambda argv: sys.exit(_guarded(main)), flags_parser=parse)


def _guarded(main):
    try:
        return main() or 0
    except UserError as error:
        _die(error.for_flags())
    except OSError as error:
        _die(f"{error.filename or 'input/output'}: {error.strerror or error}")


def _die(message):
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def import_tensorflow():
    """Imports TensorFlow and returns it, without what its C++ prints on a machine without a GPU.

    That is written before TensorFlow reads its log level; TF_CPP_MIN_LOG_LEVEL=0 in the environment
    keeps it.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        import tensorflow as tf

        return tf
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for GPUs, and prints again
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    return tf


def start_log(path=None):
    """Sends the package's log to stdout, and to a file if one is named."""
    log = logging.getLogger("sgan_tf")
    log.setLevel(logging.INFO)
    log.propagate = False
    to_stdout = logging.StreamHandler(sys.stdout)
    to_stdout.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [to_stdout]
    if path is not None:
        to_file = logging.FileHandler(path)
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.handlers.insert(0, to_file)
    return log


def several_machines():
    """Tells whether TF_CONFIG makes this process a worker among several."""
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
        return len(cluster.get("worker", [])) > 1
    except (ValueError, AttributeError) as error:
        raise UsageError(f"TF_CONFIG: it is not what TensorFlow reads ({error})") from error


def strategy(devices, batch_size=0):
    """Returns the `tf.distribute` strategy of `--devices`.

    Args:
        devices: A number of GPUs, `all` (every GPU, the CPU when there is none) or `cpu`.
        batch_size: The global batch, which the devices must divide; 0 where nothing is trained.

    Raises:
        UsageError: when there are not so many devices, or they do not divide the batch.
    """
    import tensorflow as tf

    if several_machines():
        return _workers(batch_size)
    # Logical devices: what a GPU, or a CPU in tests, has been split into counts.
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


def _workers(batch_size):
    """The strategy of TF_CONFIG's workers; it has to be made before anything else is computed."""
    import tensorflow as tf

    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, RuntimeError, KeyError, tf.errors.OpError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"TF_CONFIG: the workers cannot be joined ({reason})") from error
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UsageError(
            f"TF_CONFIG: {replicas} devices do not divide the batch size {batch_size}; change "
            "--set batch_size"
        )
    return strategy


def stop_signals():
    """Catches Ctrl-C and SIGTERM; returns the list to which the first is added.

    A second one ends the process at once.
    """
    received = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(
            number, lambda got, frame: received.append(got) if not received else os._exit(128 + got)
        )
    return received


def train_guarded(log, signals, train):
    """Runs `train()`; returns the program's exit code.

    128 and the signal's number when a signal stopped it, 3 when it diverged.
    """
    from sgan_tf.training.trainer import Interrupted, TrainingDiverged

    try:
        train()
    except Interrupted as stop:
        log.info(
            "%s; to resume, run the same command again: %s",
            stop,
            shlex.join([sys.executable, *sys.argv]),
        )
        return 128 + (signals or [signal.SIGTERM])[0]  # or another worker was told to stop
    except TrainingDiverged as error:
        log.error("%s", error)
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


def progress(what):
    """Returns a wrapper of iterables that shows on a terminal how far `what` is."""
    from tqdm import tqdm

    return lambda blocks: tqdm(blocks, desc=what, leave=False, disable=not sys.stderr.isatty())
