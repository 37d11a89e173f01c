"""The six rows of the paper's Table 1, as configurations: two stacks, and four baselines of one level."""

import dataclasses

import numpy as np

from sgan_tf.config import make_config


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table: `cuts` and `overrides` are as in `make_config`; `paper` is its Inception score on CIFAR-10."""

    name: str
    folder: str
    cuts: tuple
    overrides: tuple
    paper: str


ROWS = (  # each stack may take over what the one before it has trained
    Row("SGAN-no-joint", "sgan-no-joint", ("fc3",), ("joint.epochs=0",), "8.37 ± 0.08"),
    Row("SGAN", "sgan", ("fc3",), (), "8.59 ± 0.12"),
    Row("DCGAN (L_adv + L_cond + L_ent)", "dcgan-adv-cond-ent", (), (), "7.16 ± 0.10"),
    Row("DCGAN (L_adv + L_cond)", "dcgan-adv-cond", (), ("levels.0.lambda_ent=0",), "5.40 ± 0.08"),
    Row("DCGAN (L_adv + L_ent)", "dcgan-adv-ent", (), ("levels.0.lambda_cond=0",), "5.40 ± 0.16"),
    Row(
        "DCGAN (L_adv)",
        "dcgan-adv",
        (),
        ("levels.0.lambda_cond=0", "levels.0.lambda_ent=0"),
        "6.16 ± 0.07",
    ),
)
COLUMNS = {  # a prefix of the scores' names, and the column's title
    "cs": "classifier score ↑",
    "fcd": "Fréchet distance ↓",
    "precision": "precision ↑",
    "recall": "recall ↑",
    "sample_accuracy": "right class ↑",
    "class_spread": "spread in a class (real: 1)",
    "ms_ssim_": "similarity in a class ↓",
}


def row_config(row, dataset, preset, seed, overrides=(), epochs=None):
    """Builds a row's configuration.

    The budget is the bottom generator's: a baseline's only level trains for as many epochs as level 0 and the joint stage
    of a stack together.

    Args:
        row: A `Row`.
        dataset, preset, seed, overrides, epochs: As in `make_config`; overrides of levels that a row lacks are left out.

    Returns:
        A `Config`.
    """
    fitting = [
        o
        for o in overrides
        if not o.startswith("levels.") or o.split(".")[1] in map(str, range(len(row.cuts) + 1))
    ]
    config = make_config(
        dataset, preset, row.cuts, epochs=epochs, seed=seed, overrides=[*fitting, *row.overrides]
    )
    if not row.cuts:
        config.levels[0].epochs += config.joint.epochs
    return config


def shared_stages(config, other):
    """Returns the names of the first stages that two configurations train to the very same weights."""
    if (config.encoder, config.seed, config.batch_size, config.image_size) != (
        other.encoder,
        other.seed,
        other.batch_size,
        other.image_size,
    ):
        return []
    shared = ["encoder"]
    if config.cuts == other.cuts:
        shared += [
            f"level{i}"
            for i, (ours, theirs) in enumerate(zip(config.levels, other.levels))
            if ours == theirs
        ]
    return shared


def summarize(results):
    """Gathers the rows' scores over seeds.

    Args:
        results: `{row name: [facts of each seed]}`, as `evaluate_run` returns them.

    Returns:
        `{row name: {column title: (mean, standard deviation)}}`, with the real test set as the last row.
    """

    def column(scores, prefix):
        # The plain Fréchet distance is to the training set; of the classifier score the deviation is left out.
        chosen = [
            v
            for name, v in scores.items()
            if name.startswith(prefix) and not name.endswith(("_std", "_test"))
        ]
        return float(np.mean(chosen))

    def row(scores_of_seeds):
        values = {
            title: [column(scores, prefix) for scores in scores_of_seeds]
            for prefix, title in COLUMNS.items()
        }
        return {
            title: (float(np.mean(v)), float(np.std(v, ddof=1)) if len(v) > 1 else 0.0)
            for title, v in values.items()
        }

    table = {name: row([facts["samples"] for facts in seeds]) for name, seeds in results.items()}
    table["real test set"] = row([next(iter(results.values()))[0]["real"]])
    return table


def markdown(table, seeds):
    """Returns the table of `summarize` as Markdown, with the paper's Inception scores beside it."""
    paper = {row.name: row.paper for row in ROWS} | {"real test set": "11.24 ± 0.12"}

    def cell(mean, deviation, name):
        return f"{mean:.3g}" + (
            f" ± {deviation:.2g}" if seeds > 1 and name != "real test set" else ""
        )

    lines = [
        f"| | {' | '.join(COLUMNS.values())} | paper: Inception score, CIFAR-10 |",
        f"|---|{'---|' * (len(COLUMNS) + 1)}",
    ]
    lines += [
        f"| {name} | {' | '.join(cell(*value, name) for value in values.values())} | {paper[name]} |"
        for name, values in table.items()
    ]
    return "\n".join(lines) + "\n"
