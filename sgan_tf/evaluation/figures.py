"""The paper's figures, as PIL images."""

import io

import numpy as np
from PIL import Image, ImageDraw

from sgan_tf.images import TEXT, image_grid

COLUMNS = 10  # images a row of the figures


def samples(stack, seed=0):
    """The paper's panel (a): samples, a row a class. `stack` is as `sgan_tf.load` returns it."""
    labels = _rows_by_class(stack)
    return image_grid(
        stack.decode(labels, stack.noise(len(labels), seed)), COLUMNS, stack.class_names
    )


def variations(stack, seed=0):
    """The paper's panels (c) and (d): one generated h_1 a row, whose images differ by z_0 alone."""
    labels = _rows_by_class(stack)
    noise = stack.noise(len(labels), seed)
    # One h_1 a row is one draw of every level's noise but the lowest's.
    fixed = [noise[0], *(z[::COLUMNS].repeat(COLUMNS, axis=0) for z in noise[1:])]
    return image_grid(stack.decode(labels, fixed), COLUMNS, stack.class_names)


def nearest_images(stack, judge_features, train_images, train_features, seed=0):
    """The paper's panel (b): samples, and under each its nearest training image.

    Args:
        stack: As `sgan_tf.load` returns it.
        judge_features: Function of uint8 images that returns their features.
        train_images, train_features: uint8 `[N, H, W, C]` and float `[N, D]`.
        seed: Of the samples.

    Returns:
        A PIL image.
    """
    from sgan_tf.evaluation.precision_recall import nearest

    labels = _rows_by_class(stack)
    images = np.round(255 * stack.decode(labels, stack.noise(len(labels), seed))).astype(np.uint8)
    indices, _ = nearest(judge_features(images), train_features)
    rows = [
        part
        for start in range(0, len(images), COLUMNS)
        for part in (
            images[start : start + COLUMNS],
            train_images[indices[start : start + COLUMNS]],
        )
    ]
    return image_grid(
        np.concatenate(rows),
        COLUMNS,
        [f"{name}{kind}" for name in stack.class_names for kind in ("", ": nearest")],
    )


def factors(stack, seed=0, bases=3):
    """What each level holds: from a base sample, only y varies, then only the highest z, …, then only z_0.

    Args:
        stack: As `sgan_tf.load` returns it.
        seed: Of the base samples and the variations.
        bases: Number of base samples, each of another class.

    Returns:
        A PIL image; a row varies one thing, and the rows of a base stand together.
    """
    classes, levels = len(stack.class_names), len(stack.levels)
    base_labels = np.linspace(0, classes - 1, bases).astype(int)
    base_noise, fresh = stack.noise(bases, seed), stack.noise(COLUMNS, seed + 1)
    labels, noise, names = [], [[] for _ in range(levels)], []
    for base, label in enumerate(base_labels):
        for varied in ("y", *reversed(range(levels))):
            labels.append(
                np.arange(COLUMNS) * classes // COLUMNS
                if varied == "y" and classes > COLUMNS
                else np.arange(COLUMNS) % classes
                if varied == "y"
                else np.full(COLUMNS, label)
            )
            for i in range(levels):
                noise[i].append(
                    fresh[i]
                    if varied == i
                    else base_noise[i][base : base + 1].repeat(COLUMNS, axis=0)
                )
            names.append(
                f"{stack.class_names[label]}: {'y' if varied == 'y' else f'z_{varied}'} varies"
            )
    images = stack.decode(np.concatenate(labels), [np.concatenate(z) for z in noise])
    return image_grid(images, COLUMNS, names, [stack.class_names[c] for c in labels[0]])


def panels(pictures):
    """Puts titled pictures side by side, three a row: the paper's Figure 5.

    Args:
        pictures: `{title: PIL image}`.

    Returns:
        A PIL image.
    """
    gap = 12
    width = max(picture.width for picture in pictures.values()) + gap
    height = max(picture.height for picture in pictures.values()) + TEXT + gap
    across = min(3, len(pictures))
    sheet = Image.new("RGB", (across * width, -(-len(pictures) // across) * height), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (title, picture) in enumerate(pictures.items()):
        left, top = i % across * width, i // across * height
        draw.text((left + width // 2, top + TEXT // 2), title, fill="black", anchor="mm")
        sheet.paste(picture, (left, top + TEXT))
    return sheet


def _rows_by_class(stack):
    return np.arange(len(stack.class_names)).repeat(COLUMNS)


def training_curves(metrics):
    """Plots every loss and spread of a run against the epoch, a panel a stage and kind.

    Args:
        metrics: The lines of `metrics.jsonl`, as `Run.read_metrics` returns them.

    Returns:
        A PIL image.
    """
    from matplotlib.figure import Figure

    stages = list(dict.fromkeys(line["stage"] for line in metrics))
    figure = Figure(figsize=(4.5 * len(stages), 6), layout="constrained")
    panels = figure.subplots(2, len(stages), squeeze=False)
    for column, stage in enumerate(stages):
        lines = [line for line in metrics if line["stage"] == stage]
        names = sorted(
            {name for line in lines for name in line} - {"stage", "epoch", "step", "seconds"}
        )
        epochs = [line["epoch"] for line in lines]
        spreads = [name for name in names if "spread" in name or name == "accuracy"]
        for panel, chosen in zip(
            panels[:, column], ([name for name in names if name not in spreads], spreads)
        ):
            for name in chosen:
                panel.plot(
                    epochs,
                    [line[name] for line in lines],
                    marker="." if len(epochs) < 30 else None,
                    label=name,
                )
            panel.set_xlabel("epoch")
            panel.grid(alpha=0.3)
            if chosen:
                panel.legend(fontsize="small")
            else:
                panel.set_axis_off()
        panels[0, column].set_title(stage)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return Image.open(buffer)
