"""Measures a trained stack: samples, the judge's view of them, and every score of the report."""

import dataclasses
import json

import numpy as np

from sgan_tf.evaluation.judge import LEAST_ACCURACY, accuracy, judged
from sgan_tf.evaluation.precision_recall import nearest_ratio, precision_recall
from sgan_tf.evaluation.protocol import check_samples, short
from sgan_tf.evaluation.reference import small_classifier_accuracy
from sgan_tf.evaluation.scores import SPLITS, classifier_score, frechet_distance, kernel_distance
from sgan_tf.evaluation.ssim import mean_pairwise_ssim
from sgan_tf.images import as_float
from sgan_tf.run import versions
from sgan_tf.spread import class_spread, conditional_spread, spread

BLOCK = 1000  # samples generated at a time
CONDITIONS, DRAWS = 100, 10  # of the conditional spreads
MOST_NEIGHBOURS = 10_000  # samples of `nn_ratio` and `class_spread`


def draw_samples(stack, train_labels, samples, seed, progress=lambda blocks: blocks):
    """Samples a stack with labels as frequent as in training.

    Args:
        stack: A trained `StackedGAN`.
        train_labels: Integers `[N]`.
        samples: How many.
        seed: Of labels and noise.
        progress: Wraps the iterable of blocks.

    Returns:
        `(uint8 images [samples, H, W, C], int32 labels [samples])`, in random order.
    """
    labels = np.random.default_rng(seed).choice(train_labels, samples).astype(np.int32)
    noise = stack.noise(samples, seed)
    images = np.empty((samples, *stack.encoder.image_shape), np.uint8)
    for i in progress(range(0, samples, BLOCK)):
        block = slice(i, i + BLOCK)
        images[block] = np.round(255 * stack.decode(labels[block], [z[block] for z in noise]))
    return images, labels


def evaluate(
    stack,
    reference,
    data,
    samples=50_000,
    seed=0,
    inception=None,
    train_images=None,
    progress=lambda what: lambda blocks: blocks,
):
    """Measures a stack's samples, and the real test set by the same code.

    Args:
        stack: A trained `StackedGAN`.
        reference: The data set's `Reference`.
        data: The run's `data.json`.
        samples: Number of samples; it is part of the scores' names.
        seed: Of the samples.
        inception: An `Inception` for the published scale, or None.
        train_images: uint8, needed with `inception`.
        progress: `progress(what)` returns a wrapper of iterables.

    Returns:
        `{"samples": {name: number}, "real": {name: number}}`. A number of the real test set is left out where it has none.

    Raises:
        EvaluationError: for too few samples.
    """
    check_samples(samples, len(data["class_names"]))
    images, labels = draw_samples(
        stack, reference.train_labels, samples, seed, progress("sampling")
    )
    logits, features = judged(reference.judge, images, progress=progress("judging samples"))
    order = np.random.default_rng(0).permutation(
        len(reference.test_labels)
    )  # blocks and splits want a random order
    test = {
        "images": reference.test_images[order],
        "labels": reference.test_labels[order],
        "logits": reference.test_logits[order],
        "features": reference.test_features[order],
    }
    fake_scores = {
        **_quality(logits, features, reference, test, samples),
        **_fidelity(features, reference.train_features, samples, progress("precision and recall")),
        "sample_accuracy": accuracy(logits, labels),
        "train_on_fake_accuracy": small_classifier_accuracy(
            images,
            labels,
            test["images"],
            test["labels"],
            len(data["class_names"]),
            data["name"],
            progress("small classifier on samples"),
        ),
        **_similarity(images, labels, data["class_names"]),
        "class_spread": _class_spread(images, labels, test),
        **_levels(stack, test["images"], test["labels"], seed),
        "nn_ratio": nearest_ratio(
            features[:MOST_NEIGHBOURS],
            reference.train_features,
            test["features"],
            progress("nearest training images"),
        ),
    }
    real_scores = {
        **_quality(test["logits"], test["features"], reference, test, samples),
        **_fidelity(
            test["features"], reference.train_features, samples, progress("the same of test images")
        ),
        "sample_accuracy": reference.judge_accuracy,
        "train_on_fake_accuracy": reference.train_on_real_accuracy,
        **_similarity(test["images"], test["labels"], data["class_names"]),
        "class_spread": 1.0,
        **{f"spread_h_{i}": 1.0 for i in range(len(stack.levels))},
        "nn_ratio": 1.0,
    }
    if inception is not None:
        train = inception(_batches(train_images, progress("Inception on training images")))[1]
        for scores, pictures in ((fake_scores, images), (real_scores, test["images"])):
            inception_logits, pool = inception(_batches(pictures, progress("Inception")))
            scores.update(_scores("is", inception_logits, samples))
            scores[f"fid{short(samples)}_train"] = frechet_distance(train, pool)
    return {"samples": fake_scores, "real": real_scores}


def evaluate_run(
    run,
    config,
    stack,
    reference,
    samples=50_000,
    seed=0,
    inception=None,
    train_images=None,
    progress=lambda what: lambda blocks: blocks,
):
    """Measures a run and says under which conditions; what `evaluation/metrics.json` holds.

    Args:
        run, config: The `Run` and its `Config`.
        stack: What the run folder holds, as `sgan_tf.load(..., as_is=True)` gives it.
        reference, samples, seed, inception, train_images, progress: As in `evaluate`.

    Returns:
        A dictionary for JSON, with the scores under `samples` and `real`.
    """
    data = json.loads((run.path / "data.json").read_text())
    scores = evaluate(stack, reference, data, samples, seed, inception, train_images, progress)
    warnings = [
        f"{name} is not finished; it was measured as it is" for name in run.unfinished(config)
    ]
    least = LEAST_ACCURACY.get(config.dataset, 0)
    if reference.judge_accuracy < least:
        warnings.append(
            f"the judge's test accuracy {reference.judge_accuracy:.4f} is under {least}: read its scores with care"
        )
    return {
        "run": str(run.path),
        "settings": {"samples": samples, "seed": seed},
        "data": data,
        "warnings": warnings,
        "judge": {"test_accuracy": reference.judge_accuracy},
        **scores,
        "versions": versions(),
        "config": dataclasses.asdict(config),
    }


def save_facts(run, facts):
    """Writes what `evaluate_run` returned to `evaluation/metrics.json` in the run's folder."""
    (run.path / "evaluation").mkdir(exist_ok=True)
    run.write("evaluation/metrics.json", json.dumps(facts, indent=2) + "\n")


def _scores(prefix, logits, samples):
    mean, deviation = classifier_score(logits)
    name = f"{prefix}{short(samples)}_{SPLITS}x{short(samples // SPLITS)}"
    return {name: mean, f"{name}_std": deviation}


def _quality(logits, features, reference, test, samples):
    n = short(samples)
    return {
        **_scores("cs", logits, samples),
        f"fcd{n}_train": frechet_distance(reference.train_features, features),
        f"fcd{n}_test": frechet_distance(test["features"], features),
        f"kcd{n}": kernel_distance(reference.train_features, features),
    }


def _fidelity(features, train_features, samples, progress):
    # As many real rows as fake ones: the radii shrink as rows are added.
    count = min(len(features), len(train_features))
    real = train_features[np.random.default_rng(0).permutation(len(train_features))[:count]]
    precision, recall = precision_recall(real, features[:count], progress=progress)
    return {f"precision{short(samples)}": precision, f"recall{short(samples)}": recall}


def _similarity(images, labels, class_names):
    groups = {name: images[labels == c] for c, name in enumerate(class_names)}
    return {
        f"ms_ssim_{name}": mean_pairwise_ssim(group)
        for name, group in groups.items()
        if len(group) > 1
    }


def _class_spread(images, labels, test):
    real = class_spread(test["images"][:MOST_NEIGHBOURS], test["labels"][:MOST_NEIGHBOURS])
    return class_spread(images[:MOST_NEIGHBOURS], labels[:MOST_NEIGHBOURS]) / real


def _levels(stack, test_images, test_labels, seed):
    """Spreads of every level's h_i over the real ones, and how well Q_i recovers z_i (1: exactly, 0: not at all)."""
    real = [as_float(test_images[:2000]), *stack.infer_noise(test_images[:2000]).features]
    rows = np.arange(CONDITIONS * DRAWS) // DRAWS
    labels = test_labels[rows % len(test_labels)]
    fixed, fresh = (
        [z[rows] for z in stack.noise(CONDITIONS, seed + 1)],
        stack.noise(len(rows), seed + 2),
    )
    scores = {}
    for level in stack.levels:
        i = level.index
        # One h_{i+1} for each group of rows: the levels above see the group's noise.
        h = stack.features(labels, [*fresh[: i + 1], *fixed[i + 1 :]], i)
        scale = spread(real[i])
        scores[f"spread_h_{i}"] = spread(h) / scale
        scores[f"conditional_spread_h_{i}"] = (
            conditional_spread(h.reshape(CONDITIONS, DRAWS, *h.shape[1:])) / scale
        )
        estimate = np.asarray(level.discriminator(h, logits=False)[1])
        scores[f"noise_recovery_{i}"] = 1 - float(np.mean((estimate - fresh[i]) ** 2)) / float(
            np.var(fresh[i])
        )
    return scores


def _batches(images, progress, size=50):
    return (images[i : i + size] for i in progress(range(0, len(images), size)))
