"""Compare the precisions that a trained run can be sampled in: images, and every score.

    python benchmarks/precision.py --run_dir runs/mnist --samples 10000

prints how far images of the same labels and noise lie apart in float32 and bfloat16, and the scores
of evaluate.py in each beside the real test set's, as a Markdown table. Whether another precision is
faster is another question, which sampling.py answers.
"""

from absl import flags

from sgan_tf.cli import app, images, judges
from sgan_tf.validation import PRECISIONS

FLAGS = flags.FLAGS
IMAGES = 1000  # images of which the values are compared


def define_flags():
    images.define_place_flags()
    flags.adopt_module_key_flags(images)
    flags.DEFINE_string("run_dir", None, "a finished run folder", required=True)
    flags.DEFINE_integer("samples", 10_000, "samples to score in each precision", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "of labels and noise")
    judges.define_flags()
    flags.adopt_module_key_flags(judges)


def bench():
    from sgan_tf.evaluation.protocol import check_samples
    from sgan_tf.run import Run, read_config

    config, run = read_config(FLAGS.run_dir), Run(FLAGS.run_dir)
    data = run.data()
    check_samples(FLAGS.samples, len(data["class_names"]))
    app.import_tensorflow()
    from sgan_tf.evaluation.evaluate import evaluate
    from sgan_tf.loading import load_run

    stacks = {precision: load_run(FLAGS.run_dir, precision=precision) for precision in PRECISIONS}
    _print_difference(stacks)
    reference = judges.reference(data, config.encoder.flip, lambda: images.load_again(config, run))
    scores = {
        precision: evaluate(
            stack, reference, data, FLAGS.samples, FLAGS.seed, progress=app.progress
        )
        for precision, stack in stacks.items()
    }
    _print_table(scores)


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

    columns = [rows(facts) for facts in scores.values()]
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
