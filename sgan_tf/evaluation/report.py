"""The table and the self-contained HTML page of an evaluation."""

import base64
import json
import pathlib
import re

MEANINGS = (  # pattern of a name, whether more is better, what the number says
    (r"cs\d.*_std", "its standard deviation over ten parts"),
    (
        r"cs\d",
        "classifier score: confident and evenly spread classes; blind to collapse inside a class (higher is better)",
    ),
    (r"fcd.*_train", "Fréchet distance of the judge's features to the training set's (lower)"),
    (r"fcd.*_test", "Fréchet distance to the test set's (lower)"),
    (r"kcd", "kernel distance to the training set's, unbiased (lower)"),
    (r"is\d.*_std", "its standard deviation over ten parts"),
    (r"is\d", "Inception score, the published scale (higher)"),
    (r"fid", "Fréchet Inception distance, the published scale (lower)"),
    (r"precision", "share of samples inside the real manifold: fidelity (higher)"),
    (r"recall", "share of real images inside the samples' manifold: coverage (higher)"),
    (r"sample_accuracy", "how often the judge sees the class that was asked for (higher)"),
    (
        r"train_on_fake_accuracy",
        "test accuracy of a small classifier trained on samples; real: trained on real images (higher)",
    ),
    (r"ms_ssim_", "mean similarity of two images of the class; above the real one: less diverse"),
    (r"class_spread", "spread inside a class over the real one; near 0: collapsed"),
    (
        r"conditional_spread_h_",
        "spread of generated h_i for one condition; under 0.05: the level ignores its noise",
    ),
    (r"spread_h_", "spread of generated h_i over that of real h_i"),
    (r"noise_recovery_", "how well Q_i recovers z_i from h_i: 1 exactly, 0 not at all"),
    (
        r"nn_ratio",
        "distance to the nearest training image over that of test images; near 0: memorised",
    ),
)


def meaning(name):
    """Returns what a score says, in a sentence."""
    return next(text for pattern, text in MEANINGS if re.match(pattern, name))


def rows(facts):
    """Returns `(name, samples' number, real number, meaning)` of every score, as text."""

    def shown(scores, name):
        return f"{scores[name]:.4g}" if name in scores else "–"

    return [
        (name, shown(facts["samples"], name), shown(facts["real"], name), meaning(name))
        for name in facts["samples"]
    ]


def table(facts):
    """Returns the scores as aligned text."""
    lines = [("score", "samples", "real test set"), *(row[:3] for row in rows(facts))]
    width = max(len(name) for name, *_ in lines)
    return "\n".join(f"{name:<{width}}  {fake:>10}  {real:>14}" for name, fake, real in lines)


def html(facts, figures):
    """Returns the report as one HTML page with its pictures inside.

    Args:
        facts: What `metrics.json` holds.
        figures: `{caption: bytes of a PNG file}`.
    """
    from jinja2 import Environment, FileSystemLoader

    template = Environment(
        loader=FileSystemLoader(pathlib.Path(__file__).parent), autoescape=True
    ).get_template("report.html")
    pictures = [(caption, base64.b64encode(image).decode()) for caption, image in figures.items()]
    return template.render(
        title=f"Evaluation of {facts['run']}",
        facts=facts,
        rows=rows(facts),
        figures=pictures,
        configuration=json.dumps(
            {"config": facts["config"], "versions": facts["versions"]}, indent=2
        ),
    )
