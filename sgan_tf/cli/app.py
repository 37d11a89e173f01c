"""What the programs share: flags and their help, error lines, exit codes, signals, stderr, logs."""

import contextlib
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import textwrap
from logging.handlers import MemoryHandler

from absl import app, flags
from absl import logging as absl_logging

from sgan_tf.cli import interrupted, unwind, was_interrupted
from sgan_tf.errors import UserError, first_line
from sgan_tf.utils.hardware import ONEDNN_SIDE, best_precision, prefer_onednn

WIDTH = 100  # columns of --help
# Flags that hold a path; a leading ~ in one is the user's home.
PATHS = (
    *("run_dir", "data_dir", "export_dir", "config", "cache_dir", "out", "csv", "inception"),
    *("without_entropy", "encoder_from", "encoder", "encoder_weights", "model", "export", "votes"),
)
# Copies its stdin, but for the lines of TensorFlow's C++ below a fatal error; it ends with the last
# process that writes to it, and so loses nothing however that process ends.
_PASS_ON = r"""
import re, signal, sys
for number in signal.SIGINT, signal.SIGTERM:
    signal.signal(number, signal.SIG_IGN)
chatter = re.compile(
    rb"([IWE]\d{4} [\d:.]+ +\d+ |\d{4}-\d\d-\d\d [\d:.]+ ?[IWE] )\S+\.(cc|cpp|cu|h|inc):\d+\] "
    rb"|WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|To enable the following instructions: .* rebuild TensorFlow "
    rb"|/job:\w+/replica:\d+/task:\d+\s*$"  # the second line of what workers report
)
for line in sys.stdin.buffer:
    if not chatter.match(line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""


class UsageError(UserError):
    """A flag that cannot be; the message names it."""


def run(main, words=None):
    """Parses the flags, runs `main()` and exits; users' errors are one line and exit code 2.

    Args:
        main: A program; what it returns is the exit code, None being 0.
        words: Name of the repeatable flag whose values may also stand as words without a flag.
    """
    absl_logging.set_verbosity(absl_logging.ERROR)  # TFDS reports every file it opens
    _define_help(sys.modules[main.__module__])

    def parse(argv):
        try:
            rest = flags.FLAGS(argv)
            if words:
                flags.FLAGS[words].value = [*flags.FLAGS[words].value, *rest[1:]]
            elif len(rest) > 1:
                raise flags.Error(f"unexpected argument '{rest[1]}'")
        except flags.Error as error:
            _die(str(error).splitlines()[0] + "; --help lists the flags")
        for name in flags.FLAGS:
            if flags.FLAGS[name].value != flags.FLAGS[name].value:  # no bound is above or below it
                _die(f"--{name}: nan is not a number")
        for name in PATHS:
            if name in flags.FLAGS and flags.FLAGS[name].value:
                flags.FLAGS[name].value = os.path.expanduser(flags.FLAGS[name].value)
        return rest

    app.run(lambda argv: sys.exit(_guarded(main)), flags_parser=parse)


def _guarded(main):
    try:
        code = main() or 0
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done, and its code stands
        return code
    except BaseException as error:
        if was_interrupted():
            interrupted()
        if isinstance(error, UserError):
            _die(error.for_flags())
        if isinstance(error, OSError):
            _die(f"{error.filename or 'input/output'}: {error.strerror or error}")
        raise


def _die(message):
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _define_help(program):
    """Makes --help (and -h) print a program's docstring and own flags, in place of absl's."""

    class Help(flags.BooleanFlag):
        def parse(self, argument):
            print(help_text(program))
            sys.exit(0)

    app.define_help_flags()
    for name, short in ("help", "h"), ("helpshort", None):
        delattr(flags.FLAGS, name)
        flags.DEFINE_flag(Help(name, False, "show this help", short_name=short))


def help_text(program):
    """Returns what --help prints of a program, a module, whose `GROUPS` are titles and flags."""
    own = flags.FLAGS.get_flags_for_module(program)
    adopted = [f for f in flags.FLAGS.get_key_flags_for_module(program) if f not in own]
    groups, lines = getattr(program, "GROUPS", {}), [program.__doc__.strip(), ""]
    grouped = {name for names in groups.values() for name in names}
    rest = [flag.name for flag in [*adopted, *own] if flag.name not in grouped]
    for title, names in {**groups, "flags": rest}.items():
        if names:
            lines += [f"{title}:", *(_flag_help(flags.FLAGS[name]) for name in names), ""]
    return "\n".join([*lines, "--helpfull lists the flags of absl too."])


def _flag_help(flag):
    switch = flag.boolean and not flag.name.startswith("no_")
    name = f"  --[no]{flag.name}" if switch else f"  --{flag.name}"
    # Without absl's own remarks: a list of an enum's values before, of repetition behind.
    text = " ".join(flag.help.split(";\n")[0].split()).split(">: ")[-1]
    if flag.default is None:
        needed = any(not validator.checker(None) for validator in flag.validators)
        text += " (required)" if needed else ""
    elif flag.default != []:
        text += f" (default: {str(flag.default).lower() if flag.boolean else flag.default})"
    indent = " " * 24
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=f"{name:23} ",
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def list_presets():
    """Prints the presets: a row each, with the data set it is named after, and cut at fc3."""
    from sgan_tf.config.presets import PRESETS, make_config

    layout = "{:25}  {:7}  {:>7}  {:>6}  {:>6}  {:>5}  {:>5}  {}"
    stages = ("encoder", "level0", "level1", "joint")
    print(layout.format("preset", "data", *stages, "batch", "widths, first to last"))
    for name in PRESETS:
        config = make_config(name.split("-")[0], name)
        image = config.levels[0]
        widths = {"G_0": image.generator.channels, "D_0": image.discriminator.channels}
        print(
            layout.format(
                name,
                config.dataset,
                *(settings.epochs for settings in config.sections().values()),
                config.batch_size,
                ", ".join(f"{net} {sizes[0]}-{sizes[-1]}" for net, sizes in widths.items()),
            )
        )
    print("\nUnder each stage its epochs. All settings: --dataset DATA --preset PRESET --dry_run")


_filter = None  # the process of `quiet_stderr`


def quiet_stderr():
    """Keeps what TensorFlow's C++ logs off stderr, but for fatal errors.

    File descriptor 2 becomes a pipe to a process that passes on all other lines, of processes that
    are started from here too. `sys.stderr` goes past it. TF_CPP_MIN_LOG_LEVEL=0 in the environment
    keeps everything.
    """
    global _filter
    if _filter or sys.stderr is None or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        return
    sys.stderr.flush()
    direct = os.dup(2)
    source, sink = os.pipe()
    _filter = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _PASS_ON],
        stdin=source,
        stdout=direct,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # out of reach of a terminal's Ctrl-C
    )
    os.dup2(sink, 2)
    os.close(source)
    os.close(sink)
    encoding, errors = sys.stderr.encoding, sys.stderr.errors
    sys.stderr = os.fdopen(direct, "w", buffering=1, encoding=encoding, errors=errors)


@contextlib.contextmanager
def _without(*names):
    """Packages that are not imported yet are as if they were not installed while it lasts."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def import_tensorflow(side=ONEDNN_SIDE):
    """Imports TensorFlow, with the kernels for images of that side, and returns it; its C++ quiet.

    Keras imports scikit-learn, SciPy, Matplotlib and IPython where they are installed, for what
    nothing here uses: a third of the time that a program needs to start.
    """
    quiet_stderr()
    prefer_onednn(side)
    unwinding = signal.getsignal(signal.SIGINT) is unwind
    if unwinding:  # an exception in its C++ would abort the process, and nothing is open yet
        signal.signal(signal.SIGINT, interrupted)
    try:
        with _without("sklearn", "scipy", "matplotlib", "IPython"):
            import keras  # noqa: F401
            import tensorflow as tf
    finally:
        if unwinding:
            signal.signal(signal.SIGINT, unwind)
    return tf


def start_log(path=None):
    """Sends the package's log to stdout, and all of it, each epoch too, to a file if one is named.

    Args:
        path: Of the file, which is appended to. It may be known in a later call only: it gets what
            was logged since the first.

    Returns:
        The logger.
    """
    log = logging.getLogger("sgan_tf")
    earlier = [handler for handler in log.handlers if isinstance(handler, MemoryHandler)]
    log.setLevel(logging.DEBUG)
    log.propagate = False
    console = _Console(sys.stdout)
    console.setLevel(logging.INFO)
    console.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [console]
    if path is None and not earlier:
        log.handlers.append(MemoryHandler(sys.maxsize, sys.maxsize))
    if path is not None:
        to_file = logging.FileHandler(path)
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.handlers.insert(0, to_file)
        for handler in earlier:
            handler.setTarget(to_file)
            handler.flush()
    return log


class _Console(logging.StreamHandler):
    """Writes its lines above a progress bar, where one is shown."""

    def emit(self, record):
        from tqdm import tqdm

        try:
            tqdm.write(self.format(record), file=self.stream)
            self.flush()
        except Exception:
            self.handleError(record)


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


def precision(asked):
    """Returns a precision as `--precision` asks for it: of `auto`, the one that is faster here."""
    if asked != "auto":
        return asked
    import_tensorflow()
    return best_precision()


def _workers(batch_size):
    """The strategy of TF_CONFIG's workers; it has to be made before anything else is computed."""
    import tensorflow as tf

    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, RuntimeError, KeyError, tf.errors.OpError) as error:
        reason = first_line(error)
        raise UsageError(f"TF_CONFIG: the workers cannot be joined ({reason})") from error
    check_batch(strategy, batch_size)
    return strategy


def check_batch(strategy, batch_size):
    """Raises `UsageError` when the devices of TF_CONFIG's workers do not divide the batch."""
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UsageError(
            f"TF_CONFIG: {replicas} devices do not divide the batch size {batch_size}; change "
            "--set batch_size"
        )


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
