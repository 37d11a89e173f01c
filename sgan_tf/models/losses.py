"""The losses of stacked GANs (Huang et al., CVPR 2017, Eq. 3 to 7) as pure functions of network outputs.

Every function takes a batch and returns its mean as a scalar. Squared errors are means over the dimensions
too, as in the authors' release, so that one set of weights serves vectors and feature maps of any size.
"""

from keras import ops

GENERATOR_STEPS = ((0.65, 1), (0.5, 3), (0.3, 5))  # "above this loss of D: so many steps", else:
MOST_GENERATOR_STEPS = 7


def discriminator_loss(real, fake, form="binary"):
    """The discriminator's adversarial loss, Eq. (4), each half weighted 0.5 as in the release.

    Args:
        real: Logits on real h_i, `[N, 1]` for `binary`, `[N, K]` for `class_logits`.
        fake: Logits on generated h_i, of the same shape.
        form: `binary`, or `class_logits`: K class logits of which the log-sum-exp is the logit of "real"
            (Salimans et al. 2016, the fake class's logit fixed at 0).

    Returns:
        Scalar; log 2 at chance.
    """
    real, fake = realness(real, form), realness(fake, form)
    return 0.5 * (ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake)))


def adversarial_loss(fake, form="binary"):
    """The generator's adversarial loss L_adv: Eq. (5), or `-mean softplus(s)` for `class_logits`.

    Args:
        fake: Logits on generated h_i, shaped as in `discriminator_loss`.
        form: As in `discriminator_loss`. The release's generator loss for `class_logits` is unbounded below.
    """
    score = realness(fake, form)
    return ops.mean(ops.softplus(-score)) if form == "binary" else -ops.mean(ops.softplus(score))


def realness(logits, form):
    """The logit of "real", `[N]`: the only logit, or the log-sum-exp of the class logits."""
    if form == "binary":
        return ops.squeeze(logits, -1)
    if form == "class_logits":
        return ops.logsumexp(logits, axis=-1)
    raise ValueError(f"form must be 'binary' or 'class_logits', not {form!r}")


def label_loss(logits, labels):
    """Cross-entropy of the true classes: L_cond at the top level, and the label loss of a class-aware D.

    Args:
        logits: `[N, K]`.
        labels: `[N]` integers in [0, K).
    """
    chosen = ops.take_along_axis(logits, ops.cast(labels, "int32")[:, None], axis=-1)[:, 0]
    return ops.mean(ops.logsumexp(logits, axis=-1) - chosen)


def feature_loss(recovered, condition):
    """L_cond below the top level, Eq. (6): mean squared difference of E_i(G_i(h, z)) and h.

    Args:
        recovered, condition: `[N, ...]` of one shape.
    """
    return ops.mean(ops.square(recovered - condition))


def entropy_loss(z_estimate, z):
    """L_ent, Eq. (7) and (8): mean squared error of Q_i's estimate of the noise.

    Up to constants it is -log Q_i(z | generated h) for a Gaussian Q of fixed variance; minimised by G and Q it
    raises a lower bound of the conditional entropy of generated features. An estimate that knows nothing of
    z ~ U[0, 1) reaches 1/12.

    Args:
        z_estimate, z: `[N, z_dim]`.
    """
    return ops.mean(ops.square(z_estimate - z))


def generator_loss(
    adversarial, conditional, entropy, lambda_adv=1.0, lambda_cond=1.0, lambda_ent=10.0
):
    """Eq. (3). A term that is None is left out, which is how a weight of 0 saves its cost."""
    weighted = ((lambda_adv, adversarial), (lambda_cond, conditional), (lambda_ent, entropy))
    return sum(weight * term for weight, term in weighted if term is not None)


def adaptive_generator_steps(loss):
    """How many generator steps follow a discriminator step with this adversarial loss (release, CIFAR-10).

    Above 0.65: 1; above 0.5: 3; above 0.3: 5; else 7.

    Args:
        loss: Scalar, `discriminator_loss` on the current batch.

    Returns:
        Scalar int32.
    """
    steps = ops.convert_to_tensor(MOST_GENERATOR_STEPS, "int32")
    for threshold, count in reversed(GENERATOR_STEPS):
        steps = ops.where(loss > threshold, ops.convert_to_tensor(count, "int32"), steps)
    return steps
