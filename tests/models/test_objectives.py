"""Both whole objectives of a level, out of its networks' outputs, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

SEED = tf.constant([1, 2], tf.int32)
WEIGHTS = {"adv": 0.7, "cond": 1.3, "ent": 11.0}


def softplus(x):
    return np.log1p(np.exp(x))


def cross_entropy(logits, labels):
    log_sum = np.log(np.exp(logits).sum(-1))
    return np.mean(log_sum - logits[np.arange(len(labels)), labels])


@pytest.fixture(
    scope="module",
    params=[("binary", 0), ("binary", 1), ("class_logits", 0), ("class_logits", 1)],
)
def level_and_outputs(request, small_stack):
    """A level of any kind and what its networks give on a batch, in the mode of use."""
    adversarial, index = request.param
    settings = {
        "loss.adversarial": adversarial,
        "loss.posterior_weight": 0.4,
        "loss.lambda_label": 0.6,
        "discriminator.posterior_prior_init": "true",
        **{f"loss.lambda_{name}": weight for name, weight in WEIGHTS.items()},
    }
    overrides = [f"levels.{index}.{name}={value}" for name, value in settings.items()]
    _, stack, (reals, labels) = small_stack(overrides=overrides)
    level = stack.levels[index]
    for variable in level.discriminator.trainable_variables:  # far from all-zero logits
        variable.assign(np.random.default_rng(3).normal(0, 0.2, variable.shape))
    batch = level.batch(reals[index], labels)
    z = level.draw_noise(SEED, len(labels))
    fake = level.generator([batch.condition, z], training=False)
    outputs = {
        "labels": labels,
        "z": z.numpy(),
        "real": level.discriminator(batch.real)[0].numpy(),
        "fake": level.discriminator(fake)[0].numpy(),
        "estimate": level.discriminator(fake)[1].numpy(),
        "recovered": level.stage(fake).numpy(),
        "condition": np.asarray(batch.condition),
    }
    return level, batch, outputs


def realness(level, logits):
    if level.config.loss.adversarial == "binary":
        return logits[:, 0]
    return np.log(np.exp(logits).sum(-1))


def test_the_discriminators_objective_is_eq_4_and_7(level_and_outputs):
    level, batch, o = level_and_outputs
    real, fake = realness(level, o["real"]), realness(level, o["fake"])
    adversarial = 0.5 * np.mean(softplus(-real)) + 0.5 * np.mean(softplus(fake))
    if level.config.loss.adversarial == "class_logits":
        adversarial += 0.6 * cross_entropy(o["real"], o["labels"])
    entropy = np.mean((o["estimate"] - o["z"]) ** 2)
    expected = WEIGHTS["adv"] * adversarial + 0.4 * WEIGHTS["ent"] * entropy
    objective, report = level.discriminator_objective(batch, SEED, training=False)
    assert float(objective) == pytest.approx(expected, rel=1e-4)
    assert set(report) <= set(level.reported)


def test_the_generators_objective_is_eq_3(level_and_outputs):
    level, batch, o = level_and_outputs
    fake = realness(level, o["fake"])
    if level.config.loss.adversarial == "binary":
        adversarial = np.mean(softplus(-fake))
    else:
        adversarial = -np.mean(softplus(fake))
    conditional = np.mean((o["recovered"] - o["condition"]) ** 2)
    if level.is_top:
        conditional = cross_entropy(o["recovered"], o["labels"])
    terms = {
        "adv": adversarial,
        "cond": conditional,
        "ent": np.mean((o["estimate"] - o["z"]) ** 2),
    }
    objective, report = level.generator_objective(batch, SEED, training=False)
    expected = sum(WEIGHTS[name] * term for name, term in terms.items())
    assert float(objective) == pytest.approx(expected, rel=1e-4)
    for name, term in terms.items():
        assert float(report[f"{name}_{level.index}"]) == pytest.approx(term, rel=1e-4)
