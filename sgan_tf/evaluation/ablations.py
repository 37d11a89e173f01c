"""The six rows of the paper's Table 1, as configurations: two stacks and four one-level baselines.

The two baselines without L_cond are to learn nothing of labels: the paper says that they do not use
label information. So in them D has no label loss, where it has class logits (`lambda_label`), and
no projection. What of the labels still reaches G there: its condition is the label, as in every
row, and nothing asks it to heed it; and a D with K class logits sums them by log-sum-exp without
ever being told which is which.
"""

import dataclasses

import numpy as np

from sgan_tf.config.presets import make_config
from sgan_tf.config.schema import Config
from sgan_tf.evaluation import metrics


@dataclasses.dataclass(frozen=True)
class Ablation:
    """A row of the table.

    Attributes:
        name: As in the paper.
        folder: How the names of its runs' folders begin.
        cuts, overrides: As in `make_config`.
        paper: Its Inception score on CIFAR-10.
    """

    name: str
    folder: str
    cuts: tuple[str, ...]
    overrides: tuple[str, ...]
    paper: str


NO_LABELS = (
    "levels.0.loss.lambda_cond=0",
    "levels.0.loss.lambda_label=0",
    "levels.0.discriminator.projection=[]",
)
NO_ENTROPY = ("levels.0.loss.lambda_ent=0",)
ROWS = (  # each stack may take over what the one before it has trained
    Ablation("SGAN-no-joint", "sgan-no-joint", ("fc3",), ("joint.epochs=0",), "8.37 ± 0.08"),
    Ablation("SGAN", "sgan", ("fc3",), (), "8.59 ± 0.12"),
    Ablation("DCGAN (L_adv + L_cond + L_ent)", "dcgan-adv-cond-ent", (), (), "7.16 ± 0.10"),
    Ablation("DCGAN (L_adv + L_cond)", "dcgan-adv-cond", (), NO_ENTROPY, "5.40 ± 0.08"),
    Ablation("DCGAN (L_adv + L_ent)", "dcgan-adv-ent", (), NO_LABELS, "5.40 ± 0.16"),
    Ablation("DCGAN (L_adv)", "dcgan-adv", (), NO_LABELS + NO_ENTROPY, "6.16 ± 0.07"),
)
REAL, REAL_PAPER = "real test set", "11.24 ± 0.12"
COLUMNS = {  # a column's title, and the key of the scores whose mean it shows
    "classifier score ↑": "cs",
    "Fréchet distance ↓": "fcd_train",
    "precision ↑": "precision",
    "recall ↑": "recall",
    "right class ↑": "sample_accuracy",
    "spread in a class (real: 1)": "class_spread",
    "similarity in a class ↓": "ms_ssim",
}


def row_config(
    row: Ablation,
    dataset: str,
    preset: str | None,
    seed: int,
    overrides: tuple[str, ...] | list[str] = (),
    epochs: int | None = None,
    image_size: int | None = None,
) -> Config:
    """Builds a row's configuration.

    The budget is the bottom generator's: a baseline's only level trains for as many epochs as level
    0 and the joint stage of a stack together. L_class, which is not in the paper, is in no row of
    which `overrides` do not ask for it.

    Args:
        row: An `Ablation`.
        dataset, preset, seed, overrides, epochs, image_size: As in `make_config`; overrides of
            levels that a row lacks are left out.

    Returns:
        A `Config`.
    """
    levels = [str(i) for i in range(len(row.cuts) + 1)]
    fitting = [o for o in overrides if not o.startswith("levels.") or o.split(".")[1] in levels]
    config = make_config(
        dataset,
        preset,
        row.cuts,
        image_size,
        epochs,
        seed,
        overrides=["joint.lambda_class=0", *fitting, *row.overrides],
    )
    if not row.cuts:
        config.levels[0].epochs += config.joint.epochs
    return config


def shared_stages(config: Config, other: Config) -> list[str]:
    """Returns the names of the first stages that two configurations train to the same weights."""
    common = ("encoder", "seed", "batch_size", "image_size")
    if any(getattr(config, name) != getattr(other, name) for name in common):
        return []
    shared = ["encoder"]
    if config.cuts == other.cuts:
        pairs = enumerate(zip(config.levels, other.levels))
        shared += [f"level{i}" for i, (ours, theirs) in pairs if ours == theirs]
    return shared


def summarize(results: dict[str, list[dict]]) -> dict[str, dict[str, tuple[float, float]]]:
    """Gathers the rows' scores over seeds.

    Args:
        results: `{row name: [facts of each seed]}`, as `evaluate_run` returns them.

    Returns:
        `{row name: {column title: (mean, standard deviation)}}`, with the real test set as the last
        row. A column of which a row has no score is missing in it.
    """

    def row(numbers_of_seeds):
        scores_of_seeds, cells = [metrics.read(numbers) for numbers in numbers_of_seeds], {}
        for title, key in COLUMNS.items():
            found = [[s.value for s in scores if s.key == key] for scores in scores_of_seeds]
            if not all(found):
                continue
            values = [float(np.mean(of_seed)) for of_seed in found]
            deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            cells[title] = (float(np.mean(values)), deviation)
        return cells

    table = {name: row([facts["samples"] for facts in seeds]) for name, seeds in results.items()}
    table[REAL] = row([next(iter(results.values()))[0]["real"]])
    return table


def markdown(table: dict[str, dict[str, tuple[float, float]]], seeds: int) -> str:
    """Returns the table of `summarize` as Markdown, with the paper's Inception scores beside it."""
    paper = {row.name: row.paper for row in ROWS} | {REAL: REAL_PAPER}

    def cell(mean, deviation, name):
        return f"{mean:.3g}" + (f" ± {deviation:.2g}" if seeds > 1 and name != REAL else "")

    lines = [
        f"| | {' | '.join(COLUMNS)} | paper: Inception score, CIFAR-10 |",
        f"|---|{'---|' * (len(COLUMNS) + 1)}",
    ]
    for name, values in table.items():
        cells = [cell(*values[t], name) if t in values else "–" for t in COLUMNS]
        lines.append(f"| {name} | {' | '.join(cells)} | {paper[name]} |")
    return "\n".join(lines) + "\n"
