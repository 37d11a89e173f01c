"""The paper's figures, as PIL images."""

import io
import re
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from sgan_tf.evaluation.inspection import LayerInspection
from sgan_tf.evaluation.metrics import read
from sgan_tf.evaluation.metrics.nearest import nearest
from sgan_tf.models.stacked_gan import StackedGAN
from sgan_tf.utils.images import TEXT, as_float, class_rows, image_grid

COLUMNS = 10  # images per row of the figures
GAP = 12  # pixels between two panels
SCORED = (("precision", "recall"), ("fcd_train",))  # scores of samples in training, by panel
MOST = 40  # largest side in pixels in the picture of layers; larger images are shrunk
INK = "#010203"  # placeholder for the color of the page's text


def samples(stack: StackedGAN, seed: int = 0, classes: Sequence[int] | None = None) -> Image.Image:
    """Draws the paper's panel (a): samples, one row per class.

    Args:
        stack: `StackedGAN`. A stack that `sgan_tf.load` returned.
        seed: Integer. The seed of the noise. Defaults to 0.
        classes: Sequence of integers. The labels of the rows. Defaults to None: all classes, or
            `MOST_CLASSES` evenly chosen ones if there are more.

    Returns:
        A PIL image.
    """
    labels, names = _rows_by_class(stack, classes)
    images = stack.decode(labels, stack.noise(len(labels), seed))
    return image_grid(images, COLUMNS, names)


def variations(
    stack: StackedGAN, seed: int = 0, classes: Sequence[int] | None = None
) -> Image.Image:
    """Draws the paper's panels (c) and (d): each row has one generated h_1, and only z_0 varies.

    Args:
        stack: `StackedGAN`. A stack that `sgan_tf.load` returned.
        seed: Integer. The seed of the noise. Defaults to 0.
        classes: Sequence of integers. The labels of the rows, see `samples`. Defaults to None.

    Returns:
        A PIL image.
    """
    labels, names = _rows_by_class(stack, classes)
    noise = stack.noise(len(labels), seed)
    # One h_1 per row: one draw of every level's noise except the lowest level's.
    fixed = [noise[0], *(z[::COLUMNS].repeat(COLUMNS, axis=0) for z in noise[1:])]
    return image_grid(stack.decode(labels, fixed), COLUMNS, names)


def nearest_images(
    stack: StackedGAN,
    judge_features: Callable[[np.ndarray], np.ndarray],
    train_images: np.ndarray,
    train_features: np.ndarray,
    seed: int = 0,
    classes: Sequence[int] | None = None,
) -> Image.Image:
    """Draws the paper's panel (b): samples, and under each its nearest training image.

    Args:
        stack: `StackedGAN`. A stack that `sgan_tf.load` returned.
        judge_features: Function of uint8 images that returns their features, float `[N, D]`.
        train_images: uint8 `np.ndarray` `[N, H, W, C]`. The training images.
        train_features: Float `np.ndarray` `[N, D]`. The features of the training images.
        seed: Integer. The seed of the noise. Defaults to 0.
        classes: Sequence of integers. The labels of the rows, see `samples`. Defaults to None.

    Returns:
        A PIL image.
    """
    labels, names = _rows_by_class(stack, classes)
    images = np.round(255 * stack.decode(labels, stack.noise(len(labels), seed))).astype(np.uint8)
    indices, _ = nearest(judge_features(images), train_features)
    rows = []
    for start in range(0, len(images), COLUMNS):
        row = slice(start, start + COLUMNS)
        rows += [images[row], train_images[indices[row]]]
    names = names or [""] * (len(labels) // COLUMNS)
    names = [f"{name}{kind}" for name in names for kind in ("", ": nearest")]
    return image_grid(np.concatenate(rows), COLUMNS, names)


def factors(stack: StackedGAN, seed: int = 0, bases: int = 3) -> Image.Image:
    """Draws what each level controls: from a base sample, only y varies, then only each z.

    The rows of a base sample follow each other: y, the highest level's z, …, z_0. There is no row
    of y for a stack without labels.

    Args:
        stack: `StackedGAN`. A stack that `sgan_tf.load` returned.
        seed: Integer. The seed of the base samples; the next seed is that of the variations.
            Defaults to 0.
        bases: Integer. The number of base samples, each of another class. Defaults to 3.

    Returns:
        A PIL image.
    """
    classes, levels = len(stack.class_names), len(stack.levels)
    base_noise, fresh = stack.noise(bases, seed), stack.noise(COLUMNS, seed + 1)
    # All classes, or as many as fit, evenly chosen.
    columns = np.arange(COLUMNS)
    every = columns * classes // COLUMNS if classes > COLUMNS else columns % classes
    labels, names = [], []
    noise: list[list[np.ndarray]] = [[] for _ in range(levels)]
    parts = [*(["y"] if classes > 1 else []), *reversed(range(levels))]
    for base, label in enumerate(np.linspace(0, classes - 1, bases).astype(int)):
        for varied in parts:
            labels.append(every if varied == "y" else np.full(COLUMNS, label))
            for i, (z, drawn) in enumerate(zip(base_noise, fresh)):
                noise[i].append(drawn if varied == i else z[[base]].repeat(COLUMNS, axis=0))
            what = "y" if varied == "y" else f"z_{varied}"
            names.append(f"{stack.class_names[label]}: {what} varies")
    images = stack.decode(np.concatenate(labels), [np.concatenate(z) for z in noise])
    shown = [stack.class_names[c] for c in labels[0]] if classes > 1 else None
    return image_grid(images, COLUMNS, names, shown)


def layers(
    images: np.ndarray | None,
    inspected: Sequence[LayerInspection],
    captions: Sequence[str] = (),
) -> Image.Image:
    """Draws what layers keep and what they ignore: each image has one row per layer, lowest first.

    A row has the mean of the draws, the variance of each pixel among them (the mean over channels),
    and the draws. Variances have one scale in the whole picture.

    Args:
        images: `np.ndarray` `[N, H, W, C]`, uint8 or float in [0, 1]. The real images. None leaves
            their column out.
        inspected: Sequence of `LayerInspection`. What `inspect_layers` returned for these images.
        captions: Sequence of strings. Lines above the picture. Defaults to none.

    Returns:
        A PIL image.
    """
    import matplotlib

    variances = [layer.variance.mean(-1) for layer in inspected]
    highest = max(float(variance.max()) for variance in variances)
    draws = inspected[0].drawn.shape[1]
    names = [layer.name for layer in inspected]
    columns = ["kept", "varies", *map(str, range(1, draws + 1))]
    columns = columns if images is None else ["image", *columns]
    grids = []
    for k in range(len(variances[0])):
        tiles = []
        for i, (layer, variance) in enumerate(zip(inspected, variances)):
            heat = matplotlib.colormaps["magma"](variance[k] / (highest or 1.0))[..., :3]
            if images is not None:  # only the first row shows it
                image = as_float(images[k])
                tiles.append(np.ones_like(image) if i else image)
            tiles += [layer.mean[k], heat, *layer.drawn[k]]
        row = np.stack([_tile(tile) for tile in tiles])
        grids.append(image_grid(row, len(columns), names, None if k else columns))
    legend = f"kept: mean of the draws; varies: variance of pixels, black 0, yellow {highest:.2g}"
    return _below([*captions, legend], grids)


def _tile(image):
    """Returns an image as uint8 `[H, W, 3]`, shrunk so that no side is over `MOST`."""
    pixels = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
    picture = Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    picture.thumbnail((MOST, MOST), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def _below(lines, pictures):
    """Puts pictures of one width below each other, and lines of text above them."""
    measure = ImageDraw.Draw(pictures[0])
    width = max(pictures[0].width, *(4 + int(measure.textlength(line)) for line in lines))
    heights = [picture.height + GAP for picture in pictures]
    sheet = Image.new("RGB", (width, TEXT * len(lines) + sum(heights)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, line in enumerate(lines):
        draw.text((4, TEXT * i + TEXT // 2), line, fill="black", anchor="lm")
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (0, TEXT * len(lines) + sum(heights[:i])))
    return sheet


def panels(pictures: dict[str, Image.Image]) -> Image.Image:
    """Puts titled pictures side by side, three per row, as in the paper's Figure 5.

    Args:
        pictures: Dictionary. `{title: PIL image}`.

    Returns:
        A PIL image.
    """
    width = max(picture.width for picture in pictures.values()) + GAP
    height = max(picture.height for picture in pictures.values()) + TEXT + GAP
    across = min(3, len(pictures))
    sheet = Image.new("RGB", (across * width, -(-len(pictures) // across) * height), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (title, picture) in enumerate(pictures.items()):
        left, top = i % across * width, i // across * height
        draw.text((left + width // 2, top + TEXT // 2), title, fill="black", anchor="mm")
        sheet.paste(picture, (left, top + TEXT))
    return sheet


def training_curves(metrics: list[dict]) -> Image.Image:
    """Plots every loss and spread of a run against the epoch, in one panel per stage and kind.

    Args:
        metrics: List of dictionaries. The lines of `metrics.jsonl`, as `MetricsLog.read` returns
            them.

    Returns:
        A PIL image.
    """
    buffer = io.BytesIO()
    _curves(metrics, _stages(metrics)).savefig(buffer, format="png", dpi=80)
    return Image.open(buffer)


def curve_drawings(metrics: list[dict]) -> dict[str, str]:
    """Draws what `training_curves` plots as elements of an HTML page, in the page's text color.

    Args:
        metrics: List of dictionaries. The lines of `metrics.jsonl`, see `training_curves`.

    Returns:
        `{stage: an <svg> element}`.
    """
    import matplotlib

    named = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    style = {"svg.fonttype": "none", "font.size": 11, **dict.fromkeys(named, INK)}
    drawings = {}
    for stage in _stages(metrics):
        buffer = io.StringIO()
        # The salt makes the ids inside an element differ from those of the page's other elements.
        with matplotlib.rc_context({**style, "svg.hashsalt": stage}):
            figure = _curves(metrics, [stage])
            figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        drawings[stage] = _element(buffer.getvalue())
    return drawings


def _element(drawing):
    """Returns an SVG file as an element of a page, without unused ids, which might clash."""
    text = drawing[drawing.index("<svg") :].replace(INK, "currentColor")
    used = set(re.findall(r"#([\w-]+)", text))
    return re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", text)


def _stages(metrics):
    return list(dict.fromkeys(line["stage"] for line in metrics))


def _curves(metrics, stages):
    """Makes a matplotlib figure with one column per stage: its losses, and below them its spreads.

    If samples were scored during training, two more panels show the scores against the stage's
    hours.
    """
    from matplotlib.figure import Figure

    known = {name for line in metrics for name in line} - {"stage", "epoch", "step", "seconds"}
    scores = read(dict.fromkeys(sorted(known), 0.0))
    panels = [[score.name for score in scores if score.key in keys] for keys in SCORED]
    measured = {name for panel in panels for name in panel}
    rows = 4 if any(panels) else 2
    figure = Figure(figsize=(4.5 * len(stages), 3.5 * rows), layout="constrained")
    grid = figure.subplots(rows, len(stages), squeeze=False)
    for stage, (above, below, *others) in zip(stages, grid.T):
        lines = [line for line in metrics if line["stage"] == stage]
        names = sorted(known & {name for line in lines for name in line})
        spreads = [name for name in names if "spread" in name or name == "accuracy"]
        epochs, hours = [line["epoch"] for line in lines], _hours(lines)
        losses = [name for name in names if name not in {*spreads, *measured}]
        _plot(above, lines, losses, epochs, "epoch")
        _plot(below, lines, spreads, epochs, "epoch")
        for panel, chosen in zip(others, panels):
            _plot(panel, lines, [n for n in chosen if n in names], hours, "hours of the stage")
        above.set_title(stage)
    return figure


def _hours(lines):
    """Returns the hours that the stage had been trained for at the end of each epoch."""
    return np.cumsum([line.get("seconds", np.nan) for line in lines]) / 3600


def _plot(panel, lines, names, places, axis):
    marker = "." if len(places) < 30 else None
    for name in names:
        points = [(x, line[name]) for x, line in zip(places, lines) if name in line]
        panel.plot(*zip(*points), marker=marker, label=name)
    panel.set_xlabel(axis)
    panel.grid(alpha=0.3)
    if names:
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "frameon": False}
        panel.legend(fontsize="small", ncols=2, **below)
    else:
        panel.set_axis_off()


def _rows_by_class(stack, classes):
    """Returns the labels of a picture with one class per row, and the rows' names."""
    rows, names = class_rows(stack.class_names)
    if classes is not None:
        rows, names = classes, [stack.class_names[c] for c in classes]
    return np.repeat(rows, COLUMNS), names
