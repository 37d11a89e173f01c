"""Measures a trained stack's samples and the real test set by every metric."""

import dataclasses
import json
import pathlib
from collections.abc import Iterator

import numpy as np

from sgan_tf.config.schema import Config
from sgan_tf.data.datasets import info
from sgan_tf.evaluation import metrics
from sgan_tf.evaluation.imagenet.features import ImageNetReference, imagenet_views
from sgan_tf.evaluation.inception import Inception
from sgan_tf.evaluation.judge import judged
from sgan_tf.evaluation.protocol import (
    ProgressBars,
    Wrapper,
    check_samples,
    silent,
    unseen,
)
from sgan_tf.evaluation.reference import Reference
from sgan_tf.evaluation.scores import Evaluation, to_json
from sgan_tf.evaluation.view import NetworkOutputs, View
from sgan_tf.models.stacked_gan import StackedGAN
from sgan_tf.runs.environment import versions
from sgan_tf.runs.run import Run
from sgan_tf.utils.files import write_whole

BLOCK = 1000  # samples generated at a time
INCEPTION_BATCH = 50
NEAR_CHANCE = 1.5  # times the accuracy of guessing: a judge below it has learned almost nothing


def draw_samples(
    stack: StackedGAN,
    train_labels: np.ndarray,
    samples: int,
    seed: int,
    progress: Wrapper = unseen,
) -> tuple[np.ndarray, np.ndarray]:
    """Samples a stack with labels that are as frequent as in training.

    Args:
        stack: `StackedGAN`. A trained stack.
        train_labels: Integer `np.ndarray` `[N]`. The labels of the training images.
        samples: Integer. The number of samples.
        seed: Integer. The seed of labels and noise.
        progress: Function that wraps the iterable of blocks to show progress. Defaults to one that
            shows nothing.

    Returns:
        `(images, labels)` in random order, uint8 `[samples, H, W, C]` and int32 `[samples]`.
    """
    labels = np.random.default_rng(seed).choice(train_labels, samples).astype(np.int32)
    images = np.empty((samples, *stack.encoder.image_shape), np.uint8)
    for i in progress(range(0, samples, BLOCK)):
        block = slice(i, i + BLOCK)
        images[block] = np.round(255 * stack.sample(labels[block], seed, first=i))
    return images, labels


def evaluate(
    stack: StackedGAN,
    reference: Reference,
    data: dict,
    samples: int = 50_000,
    seed: int = 0,
    inception: Inception | None = None,
    train_images: np.ndarray | None = None,
    progress: ProgressBars = silent,
    train_labels: np.ndarray | None = None,
    imagenet: ImageNetReference | None = None,
) -> Evaluation:
    """Measures a stack's samples, and the real test set by the same code.

    Args:
        stack: `StackedGAN`. A trained stack.
        reference: `Reference`. The reference of the data set.
        data: Dictionary. The content of the run's `data.json`.
        samples: Integer. The number of samples, which is part of the scores' names. Defaults to
            50,000.
        seed: Integer. The seed of the samples. Defaults to 0.
        inception: `Inception`. The network for the published scale. Defaults to None, which leaves
            these scores out.
        train_images: uint8 `np.ndarray` `[N, H, W, C]`. The training images, which `inception`
            needs. Defaults to None.
        progress: Function. `progress(what)` returns a wrapper of iterables that shows the progress
            of `what`. Defaults to one that shows nothing.
        train_labels: Integer `np.ndarray` `[N]`. The labels that the stack was trained on, if they
            are not the reference's. Scores that need the reference's labels are then left out.
            Defaults to None, the reference's labels.
        imagenet: `ImageNetReference`. The reference of the data set for the scores on ImageNet
            features. Defaults to None, which leaves these scores out.

    Returns:
        An `Evaluation`: the scores of the samples, and those of the real test set.

    Raises:
        EvaluationError: for too few samples.
    """
    check_samples(samples, len(data["class_names"]))
    judge_knows = train_labels is None
    train_labels = reference.train_labels if train_labels is None else train_labels
    images, labels = draw_samples(stack, train_labels, samples, seed, progress("sampling"))
    logits, features = judged(reference.judge, images, progress=progress("judging samples"))
    reference = reference.in_random_order()
    if not judge_knows:
        test_labels = stack.encoder.classify(reference.test_images)
        reference = dataclasses.replace(reference, test_labels=test_labels)
    fake = View(
        images=images,
        labels=labels,
        logits=logits,
        features=features,
        reference=reference,
        dataset=data["name"],
        class_names=data["class_names"],
        judge_knows=judge_knows,
        class_images=_common_counts(labels, reference.test_labels, len(data["class_names"])),
        samples=samples,
        seed=seed,
        levels=len(stack.levels),
        stack=stack,
        progress=progress,
    )
    real = dataclasses.replace(
        fake,
        images=reference.test_images,
        labels=reference.test_labels,
        logits=reference.test_logits,
        features=reference.test_features,
        stack=None,
        progress=lambda what: progress(f"{what}, test images"),
    )
    if inception is not None:
        assert train_images is not None
        fake, real = _inception_views(inception, train_images, fake, real)
    if imagenet is not None:
        fake, real = imagenet_views(imagenet, fake, real)
    return Evaluation(metrics.measure(fake), metrics.measure(real))


def _common_counts(labels, others, num_classes):
    """Returns the smaller of two numbers of images, for each class."""
    return np.minimum(*(np.bincount(values, minlength=num_classes) for values in (labels, others)))


def _inception_views(
    inception: Inception, train_images: np.ndarray, *views: View
) -> Iterator[View]:
    """Adds Inception's outputs for the images of views and for the training images."""

    def outputs(images, progress):
        starts = progress(range(0, len(images), INCEPTION_BATCH))
        return inception(images[i : i + INCEPTION_BATCH] for i in starts)

    train_features = outputs(train_images, views[0].progress("Inception on training images"))[1]
    for view in views:
        logits, features = outputs(view.images, view.progress("Inception"))
        network_outputs = NetworkOutputs(logits, features, train_features)
        yield dataclasses.replace(view, inception=network_outputs)


def judge_warnings(accuracy: float, num_classes: int, floor: float = 0.0) -> list[str]:
    """Warns of a judge that is not to be trusted.

    Args:
        accuracy: Float. The judge's accuracy on the test images.
        num_classes: Integer. The number of classes K. A judge below 1.5 / K is near chance.
        floor: Float. The least accuracy to expect of a judge of this data set. Defaults to 0.

    Returns:
        List of strings. One line, or none if the judge can be trusted.
    """
    chance = NEAR_CHANCE / num_classes if num_classes > 1 else 0.0
    known = f"the judge's test accuracy {accuracy:.4f} is"
    if not accuracy >= chance:
        return [
            f"{known} near chance, which is {1 / num_classes:.4f}: no score but those of pixels "
            "and of levels says anything"
        ]
    return [] if accuracy >= floor else [f"{known} under {floor}: read its scores with care"]


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """How a run is measured; see `evaluate`.

    Attributes:
        samples: Integer. The number of samples. Defaults to 50,000.
        seed: Integer. The seed of the samples. Defaults to 0.
        inception: `Inception`. The network for the published scale. Defaults to None.
        train_images: uint8 `np.ndarray` `[N, H, W, C]`. The training images, which `inception`
            needs. Defaults to None.
        progress: Function. `progress(what)` returns a wrapper of iterables that shows the progress
            of `what`. Defaults to one that shows nothing.
        imagenet: `ImageNetReference`. The reference of the data set for scores on ImageNet
            features. Defaults to None.
    """

    samples: int = 50_000
    seed: int = 0
    inception: Inception | None = None
    train_images: np.ndarray | None = None
    progress: ProgressBars = silent
    imagenet: ImageNetReference | None = None


def evaluate_run(
    run: Run,
    config: Config,
    stack: StackedGAN,
    reference: Reference,
    options: EvaluationOptions | None = None,
    precision: str = "float32",
) -> dict:
    """Measures a run, and returns the content of `evaluation/metrics.json`.

    Args:
        run: `Run`. The run.
        config: `Config`. The run's configuration.
        stack: `StackedGAN`. The stack of the run folder, as `sgan_tf.load(..., as_is=True)` returns
            it.
        reference: `Reference`. The reference of the data set.
        options: `EvaluationOptions`. Defaults to `EvaluationOptions()`.
        precision: String. The precision that the stack was loaded with. Defaults to `float32`.

    Returns:
        A dictionary for JSON with the scores, under `samples` and `real`, and the conditions under
        which they were measured.
    """
    data, train_labels, options = run.data(), None, options or EvaluationOptions()
    if config.labels != "given":
        counts = run.read_facts("encoder.json")["class_counts"]
        train_labels = np.repeat(np.arange(len(counts)), counts)
    scores = evaluate(
        stack,
        reference,
        data,
        options.samples,
        options.seed,
        options.inception,
        options.train_images,
        options.progress,
        train_labels,
        options.imagenet,
    )
    judge_classes = len(data.get("source", data)["class_names"])
    judge = {"test_accuracy": reference.judge_accuracy}
    used = reference.train_labels if train_labels is None else train_labels
    warnings = [
        *(f"{name} is not finished; it was measured as it is" for name in run.unfinished(config)),
        *judge_warnings(
            reference.judge_accuracy,
            judge_classes,
            info(config.dataset).judge_floor,
        ),
        *metrics.warnings(scores.samples),
    ]
    return {
        "run": str(run.path),
        "settings": {"samples": options.samples, "seed": options.seed, "precision": precision},
        "weights": run.weights(config),
        "data": data,
        "warnings": warnings,
        "judge": judge if judge_classes > 1 else {"trained": "without labels, on views"},
        "class_counts": np.bincount(used, minlength=len(data["class_names"])).tolist(),
        "samples": to_json(scores.samples),
        "real": to_json(scores.real),
        "versions": versions(),
        "config": dataclasses.asdict(config),
    }


def save_facts(folder: pathlib.Path, facts: dict) -> None:
    """Writes the facts of an evaluation to `metrics.json`.

    Args:
        folder: Path. The folder of the file, which is created if it is missing.
        facts: Dictionary. What `evaluate_run` returned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "metrics.json", json.dumps(facts, indent=2) + "\n")
