"""The table and the self-contained HTML page of an evaluation."""

import base64
import json
import pathlib

from sgan_tf.evaluation.metrics import meaning


def rows(facts: dict) -> list[tuple[str, str, str, str]]:
    """Returns `(name, samples' number, real number, meaning)` of every score, as text."""

    def shown(scores, name):
        return f"{scores[name]:.4g}" if name in scores else "–"

    return [
        (name, shown(facts["samples"], name), shown(facts["real"], name), meaning(name))
        for name in facts["samples"]
    ]


def table(facts: dict) -> str:
    """Returns the scores as aligned text."""
    lines = [("score", "samples", "real test set"), *(row[:3] for row in rows(facts))]
    width = max(len(name) for name, *_ in lines)
    return "\n".join(f"{name:<{width}}  {fake:>10}  {real:>14}" for name, fake, real in lines)


def html(facts: dict, figures: dict[str, bytes]) -> str:
    """Returns the report as one HTML page with its pictures inside.

    Args:
        facts: What `metrics.json` holds.
        figures: `{caption: bytes of a PNG file}`.
    """
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader(pathlib.Path(__file__).parent)
    template = Environment(loader=loader, autoescape=True).get_template("report.html")
    pictures = [(caption, base64.b64encode(image).decode()) for caption, image in figures.items()]
    conditions = {"config": facts["config"], "versions": facts["versions"]}
    return template.render(
        title=f"Evaluation of {facts['run']}",
        facts=facts,
        rows=rows(facts),
        figures=pictures,
        configuration=json.dumps(conditions, indent=2),
    )
