"""Measure how long it takes to import, to start and to sample first, each in a new process.

    python benchmarks/startup.py --preset svhn

The times are medians over whole processes, and include the start of Python.
"""

import subprocess
import sys

from absl import flags

from sgan_tf.cli import app, startup
from sgan_tf.config.presets import PRESETS

FLAGS = flags.FLAGS
_LOAD = "import sys, sgan_tf; stack = sgan_tf.load(sys.argv[1])"


def define_flags():
    flags.DEFINE_enum("preset", "svhn", list(PRESETS), "preset of the untrained run that is loaded")
    flags.DEFINE_integer("alternations", 3, "turns of each", lower_bound=1)


def bench():
    startup.import_tensorflow()
    from measure import alternate, seconds_text, table
    from workload import configuration, untrained_run

    with untrained_run(configuration(FLAGS.preset)) as run_dir:
        commands = {
            "Python alone": ["-c", "pass"],
            "`import sgan_tf`": ["-c", "import sgan_tf"],
            "`train.py --help`": ["-m", "sgan_tf.cli.train", "--help"],
            "`import tensorflow`, for comparison": ["-c", "import tensorflow"],
            "`sgan_tf.load(run_dir)`": ["-c", _LOAD, run_dir],
            "the same, and `stack.sample([3])`": ["-c", f"{_LOAD}; stack.sample([3])", run_dir],
        }
        calls = {name: _process(arguments) for name, arguments in commands.items()}
        seconds = alternate(calls, FLAGS.alternations)
    print(table(["process", "time"], [[name, seconds_text(s)] for name, s in seconds.items()]))


def _process(arguments):
    command = [sys.executable, *arguments]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
