"""Compare objectives that train an encoder: a table with one row per data set and objective.

    python benchmarks/features.py --datasets digits,mnist --set encoder.views=[affine,cutout]

`labels` is the encoder that is trained on labels, and `nothing` is an encoder that is not trained.
The probe is a logistic regression on fc3, trained on up to 10,000 training images; its accuracy is
measured on the test images. Purity is measured on ten clusters of the training images. The time is
CPU time of all cores together, which other work on the machine changes less than wall-clock time.
"""

import dataclasses
import tempfile
import time

from absl import flags

from sgan_tf.cli import app, startup

FLAGS = flags.FLAGS
SUPERVISED = ("nothing", "labels")  # not objectives of self-supervised learning
PROBED = 10_000  # most training images of a probe
CLUSTERS = 10


def define_flags():
    flags.DEFINE_list("datasets", ["digits"], "data sets")
    flags.DEFINE_list("objectives", None, "what trains it; all of them by default")
    flags.DEFINE_integer("epochs", None, "in place of the presets' own", lower_bound=1)
    flags.DEFINE_integer("images", None, "training images, in place of all", lower_bound=PROBED)
    flags.DEFINE_multi_string("set", [], "name=value, as for train.py; repeatable")
    flags.DEFINE_integer("seed", 0, "as for train.py")


def bench():
    startup.import_tensorflow()
    from measure import table

    from sgan_tf.data.datasets import load_dataset
    from sgan_tf.models.encoder.self_supervised import OBJECTIVES
    from sgan_tf.utils.arithmetic import set_arithmetic

    kinds = (*SUPERVISED, *OBJECTIVES)
    unknown = set(FLAGS.objectives or ()) - set(kinds)
    if unknown:
        raise app.UsageError(
            f"--objectives: unknown '{min(unknown)}'; choose from {', '.join(kinds)}"
        )
    set_arithmetic()  # as train.py does
    head = ["data set", "images", "trained by", "epochs", "processor time", "probe", "purity"]
    rows = []
    for name in FLAGS.datasets:
        dataset = _part(load_dataset(name))
        rows += [_row(dataset, kind) for kind in FLAGS.objectives or kinds]
    print(table(head, rows))


def _part(dataset):
    """Returns the data set with the first --images of its training images."""
    return dataclasses.replace(
        dataset,
        train_images=dataset.train_images[: FLAGS.images],
        train_labels=dataset.train_labels[: FLAGS.images],
    )


def _row(dataset, kind):
    from sgan_tf.config.presets import make_config
    from sgan_tf.models.build import build
    from sgan_tf.models.encoder.clusters import agreement, k_means
    from sgan_tf.runs.run import Run
    from sgan_tf.training.options import TrainingOptions
    from sgan_tf.training.pipeline import Pipeline

    labels = "given" if kind in SUPERVISED else "none"
    objective = [] if kind in SUPERVISED else [f"encoder.objective={kind}"]
    overrides = [*objective, *FLAGS["set"].value]
    config = make_config(
        dataset.name, epochs=FLAGS.epochs, seed=FLAGS.seed, overrides=overrides, labels=labels
    )
    started, epochs = time.process_time(), 0
    if kind == "nothing":
        encoder, _ = build(config, dataset.image_shape, dataset.class_names)
    else:
        epochs = config.encoder.epochs
        with tempfile.TemporaryDirectory() as folder:
            run = Run.open(folder, config)
            options = TrainingOptions(sample_every=0)
            pipeline = Pipeline(config, run, dataset.labelled(labels), options=options)
            pipeline.train(["encoder"])
            encoder = pipeline.encoder
            run.close()
    seconds = time.process_time() - started
    train, test = _fc3(encoder, dataset.train_images), _fc3(encoder, dataset.test_images)
    purity, _ = agreement(*_clustered(k_means, train, dataset.train_labels))
    accuracy = _probe(train, dataset.train_labels, test, dataset.test_labels)
    numbers = [f"{accuracy:.4f}", f"{purity:.4f}"]
    return [dataset.name, len(train), kind, epochs, f"{seconds:.0f} s", *numbers]


def _fc3(encoder, images):
    from sgan_tf.models.batched import in_batches

    return in_batches(encoder.features, [images], 500)[0]


def _clustered(k_means, features, labels):
    """Returns `(clusters, labels)` of features, which are scaled as for the last stage of E."""
    from sgan_tf.evaluation.metrics.nearest import nearest

    scaled = features / (features.std(0) + 1e-6)
    return nearest(scaled, k_means(scaled, CLUSTERS))[0], labels


def _probe(train, labels, test, test_labels):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    return probe.fit(train[:PROBED], labels[:PROBED]).score(test, test_labels)


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
