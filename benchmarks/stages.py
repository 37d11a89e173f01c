"""Measure how long an epoch of each preset's stages takes here: a Markdown table, a row a preset.

    python benchmarks/stages.py --presets mnist,svhn-small --steps 10

Random images of the data set's shape and number stand in for it, and a few steps for an epoch.
"""

import tempfile

from absl import flags

from sgan_tf.cli import app
from sgan_tf.hardware import best_precision
from sgan_tf.presets import PRESETS, make_config
from sgan_tf.validation import PRECISIONS

FLAGS = flags.FLAGS
CLASSES = 10
# Training images and channels: what a row of `datasets.DATASETS` does not tell before it is loaded.
IMAGES = {"digits": (1497, 1), "mnist": (60000, 1), "svhn": (73257, 3)}
OTHERS = (50000, 3)


def define_flags():
    flags.DEFINE_list("presets", list(PRESETS), "presets to measure")
    flags.DEFINE_enum(
        "precision", "auto", ["auto", *PRECISIONS], "what to compute in, as for train.py"
    )
    flags.DEFINE_integer("steps", 10, "steps to time, after two that are not", lower_bound=1)


def bench():
    unknown = [name for name in FLAGS.presets if name not in PRESETS]
    if unknown:
        raise app.UsageError(
            f"--presets: unknown preset '{unknown[0]}'; choose from {', '.join(PRESETS)}"
        )
    tf = app.import_tensorflow()
    tf.config.experimental.enable_op_determinism()
    print("| preset | step, E / levels / joint | images a second, the same | epoch, the same |")
    print("|---|---|---|---|")
    for name in FLAGS.presets:
        print(_row(name), flush=True)


def _row(name):
    import numpy as np

    from sgan_tf.datasets import ImageDataset
    from sgan_tf.run import Run
    from sgan_tf.training.pipeline import Pipeline

    precision = best_precision() if FLAGS.precision == "auto" else FLAGS.precision
    config = make_config(name.split("-")[0], name, precision=precision)
    count, channels = IMAGES.get(config.dataset, OTHERS)
    rng = np.random.default_rng(0)
    # A few batches will do: the steps take them again and again.
    shape = (4 * config.batch_size, config.image_size, config.image_size, channels)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    labels = rng.integers(0, CLASSES, len(images)).astype(np.int32)
    names = [str(c) for c in range(CLASSES)]
    dataset = ImageDataset(config.dataset, names, images, labels, images[:1], labels[:1])
    with tempfile.TemporaryDirectory() as folder:
        run = Run.open(folder, config)
        seconds = Pipeline(config, run, dataset).seconds_per_step(FLAGS.steps)
        run.close()
    steps = count // config.batch_size
    cells = [
        f"`{name}`",
        " / ".join(f"{1000 * s:.0f} ms" for s in seconds),
        " / ".join(f"{config.batch_size / s:,.0f}" for s in seconds),
        " / ".join(_duration(s * steps) for s in seconds),
    ]
    return f"| {' | '.join(cells)} |"


def _duration(seconds):
    if seconds < 600:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
