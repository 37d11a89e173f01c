"""Measure how long an epoch of each preset's stages takes: a table with one row per preset.

    python benchmarks/stages.py --presets mnist,svhn-small --steps 10

The images are random, and the time of an epoch is computed from a few steps and the size of the
data set. FLOP are those of the convolutions and matrix products of one update; a multiplication and
an addition count as two. For a level or for all levels, an update is one of D and one of G. Presets
with adaptive steps make up to 7 updates of G.
"""

from absl import flags

from sgan_tf.cli import app, devices, startup
from sgan_tf.config.presets import PRESETS
from sgan_tf.config.validation import PRECISIONS

FLAGS = flags.FLAGS
# Numbers of training images, which `datasets.DATASETS` does not hold.
IMAGES = {"digits": 1497, "mnist": 60000, "svhn": 73257, "cifar10": 50000}


def define_flags():
    flags.DEFINE_list("presets", list(PRESETS), "presets to measure")
    flags.DEFINE_enum(
        "precision", "auto", ["auto", *PRECISIONS], "what to compute in, as for train.py"
    )
    flags.DEFINE_integer("steps", 10, "steps to time, after two that are not", lower_bound=1)


def bench():
    from arguments import check_presets

    check_presets(FLAGS.presets)
    startup.import_tensorflow()
    from measure import table
    from workload import configuration

    from sgan_tf.utils.arithmetic import set_arithmetic

    set_arithmetic()  # as train.py does
    precision = devices.precision(FLAGS.precision)
    head = ["preset", "precision", "step, E / levels / joint", "GFLOP a step, the same"]
    head += ["images/s, the same", "epoch, the same"]
    rows = [_row(name, configuration(name, precision)) for name in FLAGS.presets]
    print(table(head, rows))


def _row(name, config):
    from flops import update_flop
    from measure import seconds_text
    from workload import one_batch, prepared, untrained

    with untrained(config) as pipeline:
        seconds = pipeline.seconds_per_step(FLAGS.steps)
        flop = [update_flop(prepared(stage), *one_batch(stage)) for stage in pipeline.stages]
    steps = IMAGES[config.dataset] // config.batch_size
    cells = [
        [seconds_text([s]) for s in seconds],
        [f"{count / 1e9:.3g}" for count in flop],
        [f"{config.batch_size / s:,.0f}" for s in seconds],
        [_duration(s * steps) for s in seconds],
    ]
    return [f"`{name}`", config.precision, *(" / ".join(cell) for cell in cells)]


def _duration(seconds):
    if seconds < 600:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
