"""Measure a trained run: its samples' scores beside the real test set's, and a report.

    python evaluate.py --run_dir runs/mnist

writes runs/mnist/evaluation/metrics.json and report.html, which holds pictures too. The first
evaluation of a data set trains its judge and caches what it sees; later ones need no images, but
the report shows more with them.
"""

from absl import flags

from sgan_tf.cli import app, images
from sgan_tf.errors import UserError

FLAGS = flags.FLAGS


def define_flags() -> None:
    images.define_place_flags()
    flags.adopt_module_key_flags(images)
    flags.DEFINE_string("run_dir", None, "a run folder whose levels are trained", required=True)
    flags.DEFINE_integer(
        "samples", 50_000, "samples to draw; it is part of the scores' names", lower_bound=1
    )
    flags.DEFINE_integer("seed", 0, "of the samples")
    flags.DEFINE_string(
        "cache_dir",
        None,
        "where judges are cached; by default SGAN_TF_CACHE, else ~/.cache/sgan_tf",
    )
    flags.DEFINE_string(
        "inception", None, "path of TF-GAN's Inception module for the published scale, or download"
    )
    flags.DEFINE_string(
        "without_entropy",
        None,
        "a run without the entropy loss, drawn beside this one (the paper's panel d)",
    )


def evaluate() -> None:
    from sgan_tf.evaluation.protocol import check_samples
    from sgan_tf.run import Run, read_config

    # What can be refused is refused before TensorFlow is imported.
    config, run = read_config(FLAGS.run_dir), Run(FLAGS.run_dir)
    data = run.data()
    check_samples(FLAGS.samples, len(data["class_names"]))
    app.import_tensorflow()
    from sgan_tf.loading import load

    stack = load(FLAGS.run_dir, as_is=True)
    other = load(FLAGS.without_entropy) if FLAGS.without_entropy else None
    facts, figures = _measure(config, run, data, stack, other)
    from sgan_tf.evaluation import report
    from sgan_tf.evaluation.evaluate import save_facts

    page = report.html(facts, figures)
    save_facts(run, facts)
    run.write("evaluation/report.html", page)
    print(f"judge: test accuracy {facts['judge']['test_accuracy']:.4f}\n\n{report.table(facts)}\n")
    for warning in facts["warnings"]:
        print(f"warning: {warning}")
    print(f"{run.path}/evaluation/report.html")


def _measure(config, run, data, stack, other):
    """Returns the facts of the evaluation and the report's pictures, `{caption: PNG}`."""
    from sgan_tf.evaluation.evaluate import evaluate_run
    from sgan_tf.evaluation.reference import default_cache, load_reference, make_reference

    cache = FLAGS.cache_dir or default_cache()
    inception = _inception(cache) if FLAGS.inception else None
    flip = config.encoder.flip
    reference = load_reference(cache, data, flip)
    dataset = _dataset(config, run, needed=reference is None or inception is not None)
    reference = reference or make_reference(cache, dataset, app.progress, flip)
    facts = evaluate_run(
        run,
        config,
        stack,
        reference,
        FLAGS.samples,
        FLAGS.seed,
        inception,
        dataset and dataset.train_images,
        app.progress,
    )
    return facts, _figures(run, stack, other, reference, dataset)


def _inception(cache):
    from sgan_tf.evaluation.inception import Inception, download

    return Inception(download(cache) if FLAGS.inception == "download" else FLAGS.inception)


def _dataset(config, run, needed):
    """Returns the run's `ImageDataset`; None when it is not there and not needed."""
    try:
        return images.load_again(config, run)
    except UserError:
        if needed:
            raise
        return None


def _figures(run, stack, other, reference, dataset):
    from sgan_tf.evaluation import figures
    from sgan_tf.evaluation.judge import judged
    from sgan_tf.images import png

    seed = FLAGS.seed
    pictures = {"(a) Samples, a row a class": figures.samples(stack, seed)}
    if dataset:
        caption = "(b) Samples, and under each its nearest training image by the judge's features"
        pictures[caption] = figures.nearest_images(
            stack,
            lambda images: judged(reference.judge, images)[1],
            dataset.train_images,
            reference.train_features,
            seed,
        )
    caption = "(c) One generated h_1 a row: its images differ by z_0 alone"
    pictures[caption] = figures.variations(stack, seed)
    if other:
        caption = f"(d) The same from {FLAGS.without_entropy}, without the entropy loss"
        pictures[caption] = figures.variations(other, seed)
    caption = "What each level holds: y alone varies, then each level's noise alone"
    pictures[caption] = figures.factors(stack, seed)
    metrics = run.read_metrics()
    if metrics:
        pictures["Losses and spreads of each stage"] = figures.training_curves(metrics)
    return {caption: png(picture) for caption, picture in pictures.items()}


def main() -> None:
    define_flags()
    app.run(evaluate)


if __name__ == "__main__":
    main()
