"""Measure how long `make demo` trains: the whole process, and each stage of it.

    python benchmarks/demo.py

This measures the training alone, on the embedded digits, in a temporary folder. `make demo` also
evaluates and exports.
"""

import os
import subprocess
import sys
import tempfile

from absl import flags

from sgan_tf.cli import app

FLAGS = flags.FLAGS


def define_flags():
    flags.DEFINE_integer("epochs", None, "of every stage; by default the preset's", lower_bound=1)


def bench():
    from measure import seconds_text, table, timed

    from sgan_tf.runs.run import Run

    with tempfile.TemporaryDirectory() as folder:
        run_dir = os.path.join(folder, "demo")
        command = [sys.executable, "-m", "sgan_tf.cli.train", "--dataset", "digits"]
        command += ["--run_dir", run_dir, "--sample_every", "0"]
        command += ["--epochs", str(FLAGS.epochs)] if FLAGS.epochs else []
        whole = timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        lines = Run(run_dir).metrics.read()
    stages = {}
    for line in lines:
        stages.setdefault(line["stage"], []).append(line["seconds"])
    head = ["the whole process", *(f"{name}, {len(s)} epochs" for name, s in stages.items())]
    print(table(head, [[seconds_text([x]) for x in (whole, *map(sum, stages.values()))]]))


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
