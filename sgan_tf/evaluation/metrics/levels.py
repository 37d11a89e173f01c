"""What a level does with its noise: the spread of its h_i, and how well Q_i reads z_i from it."""

import numpy as np

from sgan_tf.evaluation.spread import COLLAPSED, conditional_spread, spread
from sgan_tf.evaluation.view import View
from sgan_tf.utils.images import as_float

ORDER = 90
SCORES = {
    r"spread_h_(?P<i>\d+)": "how widely the h_{i} that level {i} generates spread, over the "
    "spread of real h_{i}; 1 is right",
    r"conditional_spread_h_(?P<i>\d+)": "how widely generated h_{i} spread where only the noise "
    "z_{i} differs, over the spread of all real h_{i}; under "
    f"{COLLAPSED} the level ignores " + "z_{i}",
    r"noise_recovery_(?P<i>\d+)": "how well Q_{i} reads the noise z_{i} out of the generated "
    "h_{i}: 1 exactly, 0 not at all",
}
TERMS = {
    "h_i": "is what level i generates: h_0 is the image, the others are features of the encoder, "
    "the classifier whose layers the levels invert.",
    "z_i": "is the noise that level i draws: what the condition from above leaves open.",
    "Q_i": "is the part of the discriminator D_i that estimates z_i from h_i, so that level i has "
    "to use its noise.",
}
CONDITIONAL = "conditional_spread_h_"
REAL = 2000  # test images whose h_i the generated ones are compared with
CONDITIONS, DRAWS = 100, 10  # generated h_i: so many draws of noise for each of so many conditions


def noise_recovery(estimate: np.ndarray, noise: np.ndarray) -> float:
    """`1 - E (estimate - z)^2 / Var z`: 1 when the noise is known exactly, 0 when its mean is.

    Args:
        estimate, noise: `[N, z_dim]`.
    """
    return 1 - float(np.mean((estimate - noise) ** 2)) / float(np.var(noise))


def warnings(scores: dict[str, float]) -> list[str]:
    """Says which levels have collapsed, in a line each."""
    levels = {name.removeprefix(CONDITIONAL): value for name, value in scores.items()}
    return [
        f"level {i} has collapsed: {CONDITIONAL}{i} is {value:.2g}, under {COLLAPSED}: it ignores "
        f"its noise z_{i}; raise levels.{i}.loss.lambda_ent or lower levels.{i}.z_dim"
        for i, value in levels.items()
        if f"{CONDITIONAL}{i}" in scores and not value >= COLLAPSED
    ]


def measure(view: View) -> dict[str, float]:
    if view.stack is None:  # the spreads of samples are measured by the real ones
        return {f"spread_h_{i}": 1.0 for i in range(view.levels)}
    stack, images = view.stack, view.reference.test_images[:REAL]
    real = [as_float(images), *stack.infer_noise(images).features]
    rows = np.arange(CONDITIONS * DRAWS) // DRAWS
    labels = view.reference.test_labels[rows % len(view.reference.test_labels)]
    fixed = [z[rows] for z in stack.noise(CONDITIONS, view.seed + 1)]
    fresh = stack.noise(len(rows), view.seed + 2)
    scores = {}
    for level in stack.levels:
        i = level.index
        # One h_{i+1} for each group of rows: the levels above see the group's noise.
        h = stack.features(labels, [*fresh[: i + 1], *fixed[i + 1 :]], i)
        groups = h.reshape(CONDITIONS, DRAWS, *h.shape[1:])
        scale = spread(real[i])
        estimate = np.asarray(level.estimate_noise(h))
        scores[f"spread_h_{i}"] = spread(h) / scale
        scores[f"{CONDITIONAL}{i}"] = conditional_spread(groups) / scale
        scores[f"noise_recovery_{i}"] = noise_recovery(estimate, fresh[i])
    return scores
