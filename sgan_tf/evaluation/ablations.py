"""The six rows of the paper's Table 1, as configurations: two stacks and four one-level baselines.

According to the paper, the two baselines without L_cond do not use label information. So their D
has no label loss (`lambda_label`, for a D with class logits) and no projection. Labels still reach
the networks in two ways. G is conditioned on the label, as in every row, but no loss makes it use
the label. A D with K class logits sums them by log-sum-exp, but no loss assigns them to classes.
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
        name: String. The name in the paper.
        folder: String. The beginning of the names of its runs' folders.
        cuts: Tuple of strings. The cuts of the encoder, see `make_config`.
        overrides: Tuple of strings. The settings of the row, see `make_config`.
        paper: String. The Inception score on CIFAR-10 in the paper.
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
ROWS = (  # the second stack may take over the stages that the first one has trained
    Ablation("SGAN-no-joint", "sgan-no-joint", ("fc3",), ("joint.epochs=0",), "8.37 ± 0.08"),
    Ablation("SGAN", "sgan", ("fc3",), (), "8.59 ± 0.12"),
    Ablation("DCGAN (L_adv + L_cond + L_ent)", "dcgan-adv-cond-ent", (), (), "7.16 ± 0.10"),
    Ablation("DCGAN (L_adv + L_cond)", "dcgan-adv-cond", (), NO_ENTROPY, "5.40 ± 0.08"),
    Ablation("DCGAN (L_adv + L_ent)", "dcgan-adv-ent", (), NO_LABELS, "5.40 ± 0.16"),
    Ablation("DCGAN (L_adv)", "dcgan-adv", (), NO_LABELS + NO_ENTROPY, "6.16 ± 0.07"),
)
REAL, REAL_PAPER = "real test set", "11.24 ± 0.12"
COLUMNS = {  # `{title of a column: key of the scores whose mean it shows}`
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

    All rows train the bottom generator equally long: a baseline's only level trains for as many
    epochs as level 0 and the joint stage of a stack together. L_class, which is not in the paper,
    is 0 unless `overrides` set it.

    Args:
        row: `Ablation`. The row.
        dataset: String. The name of the data set.
        preset: String. The name of the preset. None is the data set's preset.
        seed: Integer. The seed of the configuration.
        overrides: Sequence of strings. Settings `"dotted.name=value"`. Those of levels that the row
            does not have are left out. Defaults to none.
        epochs: Integer. The number of epochs of every stage. Defaults to None, the preset's.
        image_size: Integer. The side of the images in pixels. Defaults to None, the data set's.

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
    """Returns the names of the stages that two configurations train to the same weights.

    Args:
        config: `Config`. A configuration.
        other: `Config`. Another configuration.

    Returns:
        List of strings. The encoder and levels; none if the configurations share nothing.
    """
    common = ("encoder", "seed", "batch_size", "image_size")
    if any(getattr(config, name) != getattr(other, name) for name in common):
        return []
    shared = ["encoder"]
    if config.cuts == other.cuts:
        pairs = enumerate(zip(config.levels, other.levels))
        shared += [f"level{i}" for i, (ours, theirs) in pairs if ours == theirs]
    return shared


def summarize(results: dict[str, list[dict]]) -> dict[str, dict[str, tuple[float, float]]]:
    """Summarizes the rows' scores over seeds.

    Args:
        results: Dictionary. `{row name: [facts of each seed]}`, with facts as `evaluate_run`
            returns them.

    Returns:
        `{row name: {column title: (mean, standard deviation)}}`, with the real test set as the last
        row. A row has no entry for a column that it has no score for.
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
    """Formats a table as Markdown, with a column of the paper's Inception scores.

    Args:
        table: Dictionary. What `summarize` returned.
        seeds: Integer. The number of seeds. Deviations are shown for more than one.

    Returns:
        String.
    """
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
