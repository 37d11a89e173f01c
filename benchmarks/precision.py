"""Compare the images and all scores of a trained stack in float32 and bfloat16.

    python benchmarks/precision.py --run_dir runs/mnist --samples 10000
    python benchmarks/precision.py --model digits

prints how much images of the same labels and noise differ between float32 and bfloat16, and a
Markdown table of the scores of evaluate.py in each precision and of the real test images. To see
which precision is faster, use sampling.py.
"""

import pathlib

from absl import flags

from sgan_tf.cli import app, image_flags, judge_flags, logs, startup
from sgan_tf.config.validation import PRECISIONS

FLAGS = flags.FLAGS
IMAGES = 1000  # images whose values are compared


def define_flags():
    image_flags.define_place_flags()
    flags.adopt_module_key_flags(image_flags)
    flags.DEFINE_string("run_dir", None, "a finished run folder")
    flags.DEFINE_string("model", None, "in place of --run_dir: a stack that comes with the package")
    flags.DEFINE_integer("samples", 10_000, "samples to score in each precision", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "of labels and noise")
    judge_flags.define_flags()
    flags.adopt_module_key_flags(judge_flags)


def bench():
    if (FLAGS.run_dir is None) == (FLAGS.model is None):
        raise app.UsageError("--model: one of --model and --run_dir has to say what is compared")
    config, data, dataset = _of_a_run() if FLAGS.run_dir else _of_a_model()
    startup.import_tensorflow()
    from sgan_tf.evaluation.evaluate import evaluate
    from sgan_tf.saving.load import load

    source = FLAGS.model or pathlib.Path(FLAGS.run_dir)  # a path is never the name of a model
    stacks = {precision: load(source, precision=precision) for precision in PRECISIONS}
    _print_difference(stacks)
    reference = judge_flags.reference(data, config.encoder.flip, dataset)
    scores = {
        precision: evaluate(
            stack, reference, data, FLAGS.samples, FLAGS.seed, progress=logs.progress
        )
        for precision, stack in stacks.items()
    }
    _print_table(scores)


def _of_a_run():
    """Returns a run's `Config`, the description of its images, and a function that loads them."""
    from sgan_tf.evaluation.protocol import check_samples
    from sgan_tf.runs.resume import read_config
    from sgan_tf.runs.run import Run

    config, run = read_config(FLAGS.run_dir), Run(FLAGS.run_dir)
    data = run.data()
    check_samples(FLAGS.samples, len(data["class_names"]))
    return config, data, lambda: image_flags.load_again(config, run)


def _of_a_model():
    """Returns the same for a saved stack that was trained on a named data set."""
    from sgan_tf.config.schema import Config
    from sgan_tf.data.datasets import load_dataset
    from sgan_tf.evaluation.protocol import check_samples
    from sgan_tf.saving.pretrained import FOLDER, names
    from sgan_tf.saving.stack_folder import CONFIG, read_metadata

    if FLAGS.model not in names():
        raise app.UsageError(f"--model: {FLAGS.model} is none of {', '.join(names())}")
    folder = FOLDER / FLAGS.model
    config = Config.from_json((folder / CONFIG).read_text())
    data = read_metadata(folder)["training"]["data"]
    check_samples(FLAGS.samples, len(data["class_names"]))

    def dataset():
        loaded = load_dataset(config.dataset, config.image_size, FLAGS.data_dir, FLAGS.download)
        if not loaded.matches(data):
            raise app.UsageError(f"--model: {FLAGS.model} was trained on other images than these")
        return loaded

    return config, data, dataset


def _print_difference(stacks):
    import numpy as np

    labels = np.arange(IMAGES) % len(next(iter(stacks.values())).class_names)
    one, other = (stack.sample(labels, FLAGS.seed) for stack in stacks.values())
    difference = np.abs(one - other)
    print(
        f"Images in {' and '.join(stacks)}, {IMAGES:,} of each, values in [0, 1]: mean absolute "
        f"difference {difference.mean():.2g}, the largest {difference.max():.2g}.\n"
    )


def _print_table(scores):
    from sgan_tf.evaluation.report import rows

    columns = [rows(evaluation) for evaluation in scores.values()]
    print(f"| score | {' | '.join(scores)} | real test images |")
    print(f"|---|{'---|' * len(scores)}---|")
    for row, *others in zip(*columns):
        cells = [row.samples, *(other.samples for other in others), row.real]
        print(f"| `{row.name}` | {' | '.join(cells)} |")


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
