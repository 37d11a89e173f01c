"""How each level uses its noise: the spread of its h_i, and how well Q_i reads z_i from h_i."""

import numpy as np

from sgan_tf.evaluation.protocol import Unmeasurable
from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.spread import COLLAPSED, conditional_spread, spread
from sgan_tf.evaluation.view import View
from sgan_tf.utils.images import as_float

ORDER = 90
CONDITIONAL = "conditional_spread_h"
SCORES = {
    "spread_h": Description(
        "how widely the h_{level} that level {level} generates spread, over the spread of real "
        "h_{level}; 1 is right",
        per="level",
    ),
    CONDITIONAL: Description(
        "how widely generated h_{level} spread where only the noise z_{level} differs, over the "
        f"spread of all real h_{{level}}; under {COLLAPSED} the level ignores z_{{level}}",
        per="level",
        real=False,
    ),
    "noise_recovery": Description(
        "how well Q_{level} reads the noise z_{level} out of the generated h_{level}: 1 exactly, 0 "
        "not at all",
        better="higher",
        per="level",
        real=False,
    ),
}
TERMS = {
    "h_i": "is what level i generates: h_0 is the image, the others are features of the encoder, "
    "the classifier whose layers the levels invert.",
    "z_i": "is the noise that level i draws: what the condition from above leaves open.",
    "Q_i": "is the part of the discriminator D_i that estimates z_i from h_i, so that level i has "
    "to use its noise.",
}
REAL = 2000  # test images with whose h_i the generated h_i are compared
CONDITIONS, DRAWS = 100, 10  # number of conditions, and draws of noise per condition


def noise_recovery(estimate: np.ndarray, noise: np.ndarray) -> float:
    """Returns `1 - E (estimate - z)^2 / Var z`: 1 if estimates are exact, 0 if they are the mean.

    Args:
        estimate: Float `np.ndarray` `[N, z_dim]`. The estimates of the noise.
        noise: Float `np.ndarray` `[N, z_dim]`. The noise z.

    Returns:
        Float, at most 1.
    """
    return 1 - float(np.mean((estimate - noise) ** 2)) / float(np.var(noise))


def warnings(scores: list[Score]) -> list[str]:
    """Returns one line per level that has collapsed.

    Args:
        scores: List of `Score`. The scores of the samples.

    Returns:
        List of strings.
    """
    low = [s for s in scores if s.key == CONDITIONAL and not s.value >= COLLAPSED]
    return [
        f"level {s.level} has collapsed: {s.name} is {s.value:.2g}, under {COLLAPSED}: it ignores "
        f"its noise z_{s.level}; raise levels.{s.level}.loss.lambda_ent or lower "
        f"levels.{s.level}.z_dim"
        for s in low
    ]


def measure(view: View) -> list[Score]:
    if view.stack is None:  # the spreads of samples are relative to those of real images
        return [Score("spread_h", 1.0, level=i) for i in range(view.levels)]
    stack, images = view.stack, view.reference.test_images[:REAL]
    real = [as_float(images), *stack.infer_noise(images).features]
    rows = np.arange(CONDITIONS * DRAWS) // DRAWS
    labels = view.reference.test_labels[rows % len(view.reference.test_labels)]
    fixed = [z[rows] for z in stack.noise(CONDITIONS, view.seed + 1)]
    fresh = stack.noise(len(rows), view.seed + 2)
    scores = []
    for level in stack.levels:
        i = level.index
        # One h_{i+1} for each group of rows, as the levels above get the group's noise.
        h = stack.features(labels, [*fresh[: i + 1], *fixed[i + 1 :]], i)
        groups = h.reshape(CONDITIONS, DRAWS, *h.shape[1:])
        scale = spread(real[i])
        if not scale:
            raise Unmeasurable(f"needs at least 2 test images, of which h_{i} differs")
        estimate = np.asarray(level.estimate_noise(h))
        scores += [
            Score("spread_h", spread(h) / scale, level=i),
            Score(CONDITIONAL, conditional_spread(groups) / scale, level=i),
            Score("noise_recovery", noise_recovery(estimate, fresh[i]), level=i),
        ]
    return scores
