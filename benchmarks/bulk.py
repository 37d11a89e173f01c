"""Measure what it costs to write samples: images per second of each format and of sampling alone.

    python benchmarks/bulk.py --models digits,svhn --count 2000

`StackedGAN.sample` and the formats of `sgan-sample --format` alternate in one run. A ratio divides
the images per second of the format by those of `sample`. It is the median of the ratios of all
alternations, with the least and the most. CPU seconds are those of the whole process.
"""

import pathlib
import tempfile
import time

from absl import flags

from sgan_tf.cli import app, startup

FLAGS = flags.FLAGS
ALONE = "`stack.sample`"
HEAD = ("model", "way", "images/s", "of `stack.sample`", "CPU seconds for 1,000 images")


def define_flags():
    flags.DEFINE_list("models", ["digits"], "what `sgan_tf.load` takes")
    flags.DEFINE_integer("count", 2000, "images of a turn", lower_bound=1)
    flags.DEFINE_integer("alternations", 3, "turns of each way", lower_bound=1)


def bench():
    startup.import_tensorflow()
    from measure import table

    rows = [row for model in FLAGS.models for row in _rows(model)]
    print(table(HEAD, rows))


def _rows(model):
    import numpy as np
    from measure import alternate, ratio

    with tempfile.TemporaryDirectory() as folder:
        ways = _ways(model, pathlib.Path(folder))
        alternate(ways, 1)  # traces
        cpu = {name: [] for name in ways}
        timed = {name: _timed(way, cpu[name]) for name, way in ways.items()}
        seconds = alternate(timed, FLAGS.alternations)
    for name, taken in seconds.items():
        rate = f"{FLAGS.count / np.median(taken):,.0f}"
        thousand = f"{1000 * np.median(cpu[name]) / FLAGS.count:.3g}"
        yield [f"`{model}`", name, rate, ratio(seconds[ALONE], taken), thousand]


def _ways(model, folder):
    """Returns `{way: function without arguments}`."""
    import numpy as np

    import sgan_tf
    from sgan_tf.sampling import bulk

    stack = sgan_tf.load(model)
    labels = np.arange(FLAGS.count) % len(stack.class_names)

    def write(format):
        drawn = bulk.Blocks(stack, bulk.labels_in_turn(labels), 0, range(FLAGS.count))
        path = pathlib.Path(tempfile.mkdtemp(dir=folder)) / "samples"
        bulk.write_file(path, format, drawn, FLAGS.count)

    formats = {f"`--format {name}`": lambda name=name: write(name) for name in bulk.WRITERS}
    return {ALONE: lambda: stack.sample(labels, 0), **formats}


def _timed(way, cpu):
    """Returns a function that calls `way` and appends the CPU seconds of the call to `cpu`."""

    def call():
        started = time.process_time()
        way()
        cpu.append(time.process_time() - started)

    return call


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
