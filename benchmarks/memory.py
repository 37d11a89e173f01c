"""Measure the peak resident memory of a process that trains, samples or evaluates.

    python benchmarks/memory.py --preset svhn

Training makes some steps of the encoder, of each level and of all levels jointly, on a few batches
of random images. Add the data set itself, in uint8, and the encoder's features, in float32, to its
figure. Evaluation is `evaluate.py` on a short run on the embedded digits.
"""

import os
import subprocess
import sys
import tempfile

from absl import flags

from sgan_tf.cli import app, startup
from sgan_tf.config.presets import PRESETS

FLAGS = flags.FLAGS
_TRAIN = """
import sys
sys.path.insert(0, sys.argv[1])
from workload import configuration, untrained
with untrained(configuration(sys.argv[2])) as pipeline:
    pipeline.seconds_per_step(1)
"""
# Starts Python and prints its peak. A process inherits the peak of its parent, so the parent has to
# be small.
_LAUNCH = """
import os, subprocess, sys
process = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
_SAMPLE = "import sys, sgan_tf; sgan_tf.load(sys.argv[1]).sample([3] * int(sys.argv[2]))"


def define_flags():
    flags.DEFINE_enum("preset", "svhn", list(PRESETS), "preset that is trained and sampled")
    flags.DEFINE_integer("samples", 1000, "samples that are drawn and evaluated", lower_bound=100)
    flags.DEFINE_bool("evaluate", True, "measure evaluate.py too, which takes longest")


def bench():
    startup.import_tensorflow()
    from measure import table
    from workload import configuration, untrained_run

    name = f"`{FLAGS.preset}`"
    rows = [["`import tensorflow`", "", peak(["-c", "import tensorflow"])]]
    here = os.path.dirname(os.path.abspath(__file__))
    rows.append(["a few steps of each stage", name, peak(["-c", _TRAIN, here, FLAGS.preset])])
    with untrained_run(configuration(FLAGS.preset)) as run_dir:
        for count in (1, 100, FLAGS.samples):
            what = f"load, and sample {count:,} at once"
            rows.append([what, name, peak(["-c", _SAMPLE, run_dir, str(count)])])
    if FLAGS.evaluate:
        rows.append([f"evaluate, {FLAGS.samples:,} samples", "`digits`", _evaluation()])
    print(table(["process", "preset", "peak, MiB"], rows))


def _evaluation():
    with tempfile.TemporaryDirectory() as folder:
        run_dir = ["--run_dir", os.path.join(folder, "run")]
        short = ["--dataset", "digits", "--epochs", "1", "--sample_every", "0"]
        peak(["-m", "sgan_tf.cli.train", *run_dir, *short])
        cache = ["--cache_dir", folder, "--samples", str(FLAGS.samples)]
        return peak(["-m", "sgan_tf.cli.evaluate", *run_dir, *cache])


def peak(arguments: list[str]) -> str:
    """Runs Python in a new process and measures its peak resident memory.

    Args:
        arguments: List of strings. Command-line arguments of Python.

    Returns:
        String. The peak in MiB.
    """
    command = [sys.executable, "-c", _LAUNCH, *arguments]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return f"{int(out) / 1024:,.0f}"  # Linux counts KiB


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
