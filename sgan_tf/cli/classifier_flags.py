"""The flags of train.py for your own classifier, and how it is opened."""

import os
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from absl import flags

from sgan_tf.cli import app
from sgan_tf.config.schema import ClassifierConfig
from sgan_tf.config.validation import INPUT_RANGES
from sgan_tf.data.batches import steps_per_epoch
from sgan_tf.data.datasets import ImageDataset

if TYPE_CHECKING:
    from sgan_tf.runs.classifier import Classifier

FLAGS = flags.FLAGS
DETAILS = ("encoder_input", "encoder_weights", "custom_objects", "class_names")
NAMES = ("encoder", *DETAILS)


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string(
        "encoder",
        None,
        "a Keras classifier that takes the encoder's place, a .keras file or a name of "
        "keras.applications; with --dry_run and without --cuts, where it can be cut, and at what "
        "cost",
    )
    flags.DEFINE_enum(
        "encoder_input",
        None,
        INPUT_RANGES,
        "what it expects of images: a range, imagenet (mean 0, variance 1) or caffe (0..255 "
        "without ImageNet's means, blue first); by default 0..1, or as its name in "
        "keras.applications says",
    )
    flags.DEFINE_string(
        "encoder_weights",
        None,
        "of a name of keras.applications: a file of weights, or imagenet, which Keras downloads",
    )
    flags.DEFINE_list("custom_objects", [], "layers of its own, as module:name,module:name")
    flags.DEFINE_list(
        "class_names",
        None,
        "names of its classes in its order; where the images have them in another, their labels "
        "follow; by default the images' own",
    )


def check_flags() -> None:
    """Checks that the flags do not contradict each other.

    Raises:
        UsageError: If they do, or if one is missing.
    """
    details = [name for name in DETAILS if FLAGS[name].present]
    if not FLAGS.encoder:
        if details:
            raise app.UsageError(f"--{details[0]}: is of a classifier; name it with --encoder")
        return
    if FLAGS.encoder_from:
        raise app.UsageError("--encoder_from: --encoder says already what the encoder is")
    if FLAGS.labels != "given":
        raise app.UsageError("--labels: --encoder has classes of its own; leave one of them out")
    if FLAGS.cuts is None and FLAGS.config is None and not FLAGS.dry_run:
        raise app.UsageError(
            "--cuts: say at which layers --encoder is cut, bottom up, or none; --dry_run lists them"
        )
    if is_file():
        if FLAGS.encoder_weights:
            raise app.UsageError(f"--encoder_weights: {FLAGS.encoder} has its own")
        if not os.path.isfile(FLAGS.encoder):
            raise app.UsageError(f"--encoder: {FLAGS.encoder} is no file")
    elif not FLAGS.encoder_weights:
        raise app.UsageError(
            f"--encoder_weights: say which {FLAGS.encoder} has, a file or imagenet (--encoder "
            "takes a .keras file too)"
        )


def is_file() -> bool:
    """Returns whether --encoder is a path. Otherwise it is a name of `keras.applications`."""
    return "." in FLAGS.encoder or os.sep in FLAGS.encoder or os.path.exists(FLAGS.encoder)


def open_classifier(dataset: ImageDataset, run_dir: pathlib.Path | None) -> "Classifier":
    """Opens the classifier that the flags name.

    Args:
        dataset: `ImageDataset` to train on.
        run_dir: `pathlib.Path`. The run folder, whose copy of the classifier is used if it is the
            same model. None ignores such a copy.

    Returns:
        A `Classifier`.

    Raises:
        ConfigError: If the classifier cannot be read or made.
    """
    from sgan_tf.runs.classifier import Classifier
    from sgan_tf.runs.classifier_copy import with_bytes_of_copy

    if is_file():
        return Classifier.of_file(
            FLAGS.encoder, FLAGS.encoder_input or "0..1", FLAGS.custom_objects
        )
    classifier = Classifier.of_name(
        FLAGS.encoder,
        FLAGS.encoder_weights,
        dataset.image_shape,
        dataset.num_classes,
        FLAGS.encoder_input,
    )
    return classifier if run_dir is None else with_bytes_of_copy(classifier, run_dir, dataset)


def print_cuts(classifier: "Classifier", dataset: ImageDataset, configure: Callable) -> None:
    """Prints where a classifier can be cut, and the cost of a stack with that cut alone.

    Args:
        classifier: `Classifier`.
        dataset: `ImageDataset` to train on.
        configure: Function of a list of cuts and a `ClassifierConfig` that returns a `Config`.
    """
    from sgan_tf.models.cost import StackCosts

    print(
        f"# {FLAGS.encoder} can be cut at, bottom up. A stack of that cut alone would cost: "
        "parameters of G, D and Q;\n# GFLOP of a step of level 0, and of level 1; TFLOP of all "
        "steps that are planned"
    )
    costs = StackCosts(dataset.num_classes)
    for cut in classifier.candidates(dataset.image_shape):
        shapes = [list(dataset.image_shape), list(cut.shape)]
        described = ClassifierConfig("", shapes=shapes, activations=["sigmoid", "relu"])
        config = configure([cut.name], described)
        cost = _cost_text(costs.of(cut, config), config, len(dataset.train_images))
        print(f"#   {cut.name}  {' x '.join(map(str, cut.shape))}: {cost}", flush=True)


def _cost_text(cost, config, images):
    """Returns a `StackCost` as the text that `print_cuts` prints."""
    steps = steps_per_epoch(images, config.batch_size)
    flop = {stage: config.batch_size * count for stage, count in cost.flop.items()}
    whole = sum(epochs * steps * flop[stage] for stage, epochs in config.stages().items())
    level0, level1 = (f"{flop[f'level{i}'] / 1e9:.3g}" for i in range(2))
    return f"{cost.parameters / 1e6:.3g} M; {level0} + {level1} GFLOP; {whole / 1e12:,.1f} TFLOP"
