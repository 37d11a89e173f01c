"""Measure a trained run: its samples' scores beside the real test set's, and a report.

    python evaluate.py --run_dir runs/mnist

prints the scores, and writes runs/mnist/evaluation/metrics.json and report.html, which holds
pictures too. The first evaluation of a data set trains its judge and caches what it sees; later
ones need no images, but the report shows more with them.
"""

import pathlib
import sys
import tempfile

from absl import flags

from sgan_tf.cli import app, devices, image_flags, judge_flags, logs, startup
from sgan_tf.config.validation import PRECISIONS
from sgan_tf.errors import UserError
from sgan_tf.evaluation.protocol import LEAST_SAMPLES
from sgan_tf.utils.files import PARTIAL, write_whole

FLAGS = flags.FLAGS


def define_flags() -> None:
    image_flags.define_place_flags()
    flags.adopt_module_key_flags(image_flags)
    flags.DEFINE_string("run_dir", None, "a run folder whose levels are trained", required=True)
    flags.DEFINE_string(
        "out", None, "folder of metrics.json and report.html; by default <run_dir>/evaluation"
    )
    flags.DEFINE_integer(
        "samples", 50_000, "samples to draw; it is part of the scores' names", lower_bound=1
    )
    flags.DEFINE_integer("seed", 0, "of the samples")
    flags.DEFINE_enum(
        "precision",
        "float32",
        ["auto", *PRECISIONS],
        "what samples are computed in, and recorded with their scores: compare runs in one; auto: "
        "bfloat16 where the hardware does",
    )
    judge_flags.define_flags()
    flags.adopt_module_key_flags(judge_flags)
    flags.DEFINE_string(
        "inception", None, "path of TF-GAN's Inception module for the published scale, or download"
    )
    flags.DEFINE_bool(
        "imagenet",
        False,
        "add scores by a classifier of ImageNet, which does not know the data set; needs the extra "
        "imagenet",
    )
    flags.DEFINE_integer(
        "imagenet_samples",
        5000,
        "with --imagenet, the most samples, test images and training images that it sees, as many "
        "of each; it is part of the scores' names. One core sees 30 to 60 images a second",
        lower_bound=LEAST_SAMPLES,
    )
    flags.DEFINE_string(
        "without_entropy",
        None,
        "a run without the entropy loss, drawn beside this one (the paper's panel d)",
    )


def evaluate() -> None:
    from sgan_tf.evaluation.protocol import check_samples
    from sgan_tf.runs.resume import read_config
    from sgan_tf.runs.run import Run

    # Check the flags before TensorFlow is imported.
    config, run = read_config(FLAGS.run_dir), Run(FLAGS.run_dir)
    data = run.data()
    check_samples(FLAGS.samples, len(data["class_names"]))
    out = pathlib.Path(FLAGS.out) if FLAGS.out else run.path / "evaluation"
    _check_writable(out)
    startup.import_tensorflow()
    from sgan_tf.evaluation import figures, report
    from sgan_tf.evaluation.evaluate import save_facts
    from sgan_tf.saving.load import load_run

    precision = devices.precision(FLAGS.precision)
    stack = load_run(FLAGS.run_dir, as_is=True, precision=precision)
    other = load_run(FLAGS.without_entropy, precision=precision) if FLAGS.without_entropy else None
    facts, reference, dataset = _measure(config, run, data, stack, precision)
    try:
        save_facts(out, facts)
    finally:  # if the facts cannot be written, they are at least shown
        _print(facts)
    (out / "report.html").unlink(missing_ok=True)  # from an earlier evaluation
    curves = figures.curve_drawings(run.metrics.read())
    page = report.html(facts, _figures(facts, stack, other, reference, dataset), curves)
    write_whole(out / "report.html", page)
    print(out / "report.html")


def _print(facts):
    from sgan_tf.evaluation import report

    print(f"samples: computed in {facts['settings']['precision']}")
    accuracy = facts["judge"].get("test_accuracy")
    judge = "trained without labels" if accuracy is None else f"test accuracy {accuracy:.4f}"
    print(f"judge: {judge}\n\n{report.table(facts)}\n")
    for warning in facts["warnings"]:
        print(f"warning: {warning}")
    sys.stdout.flush()


def _check_writable(folder):
    """Creates a folder; raises `UsageError` if no file can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix=PARTIAL, dir=folder) as file:
            file.write(bytes(4096))
    except OSError as error:
        raise app.UsageError(
            f"--out: cannot write to {folder}: {error.strerror or error}; choose another folder"
        ) from error


def _measure(config, run, data, stack, precision):
    """Returns the facts of the evaluation, its `Reference`, and the `ImageDataset` or None."""
    from sgan_tf.evaluation.evaluate import EvaluationOptions, evaluate_run
    from sgan_tf.evaluation.imagenet.features import imagenet_reference

    inception = _inception(judge_flags.cache()) if FLAGS.inception else None
    network = _imagenet_network(data) if FLAGS.imagenet else None
    dataset = _dataset(config, run, needed=inception is not None)
    # Without images the judge must be cached; loading them again raises the reason otherwise.
    reference = judge_flags.reference(
        data, config.encoder.flip, lambda: dataset or image_flags.load_again(config, run)
    )
    imagenet = None
    if network is not None:
        imagenet = imagenet_reference(
            network,
            judge_flags.cache(),
            {**data, **data.get("source", {})},
            min(FLAGS.imagenet_samples, FLAGS.samples),
            reference.test_images,
            lambda: (dataset or image_flags.load_again(config, run)).train_images,
            logs.progress,
        )
    train_images = dataset and dataset.train_images
    options = EvaluationOptions(
        FLAGS.samples, FLAGS.seed, inception, train_images, logs.progress, imagenet
    )
    facts = evaluate_run(run, config, stack, reference, options, precision)
    return facts, reference, dataset


def _inception(cache):
    from sgan_tf.evaluation.inception import Inception, download

    return Inception(download(cache) if FLAGS.inception == "download" else FLAGS.inception)


def _imagenet_network(data):
    from sgan_tf.evaluation.imagenet.features import imagenet_network

    return imagenet_network(data["image_shape"])


def _dataset(config, run, needed):
    """Returns the run's `ImageDataset`, or None if it is neither available nor needed."""
    try:
        return image_flags.load_again(config, run)
    except UserError:
        if needed:
            raise
        return None


def _figures(facts, stack, other, reference, dataset):
    """Returns the report's pictures, `{caption: PNG}`. A caption begins with its title.

    They include the picture of sgan-inspect, if it shows the same weights.
    """
    from sgan_tf.evaluation import figures, report
    from sgan_tf.evaluation.judge import judged
    from sgan_tf.evaluation.layer_scores import for_report
    from sgan_tf.utils.images import png

    seed, classes = FLAGS.seed, report.shown_classes(facts)
    which = " (the worst and the best by fcd_class)" if classes else ""
    samples = (
        f"(a) Samples: one row per class{which}" if len(stack.class_names) > 1 else "(a) Samples"
    )
    pictures = {samples: figures.samples(stack, seed, classes)}
    if dataset:
        caption = "(b) Memory: samples, and under each its nearest training image for the judge"
        pictures[caption] = figures.nearest_images(
            stack,
            lambda images: judged(reference.judge, images)[1],
            dataset.train_images,
            reference.train_features,
            seed,
            classes,
        )
    caption = "(c) One h_1 a row: the row's images differ by z_0 alone"
    pictures[caption] = figures.variations(stack, seed, classes)
    if other:
        caption = f"(d) The same without the entropy loss: the run {FLAGS.without_entropy}"
        pictures[caption] = figures.variations(other, seed, classes)
    caption = "What each level holds: in a row varies the class y alone, or one level's noise alone"
    pictures[caption] = figures.factors(stack, seed)
    drawn = {caption: png(picture) for caption, picture in pictures.items()}
    return drawn | for_report(pathlib.Path(facts["run"]), facts["weights"])


def main() -> None:
    define_flags()
    app.run(evaluate)


if __name__ == "__main__":
    main()
