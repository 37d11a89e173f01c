"""Image grids as PNG files."""

import numpy as np
from PIL import Image, ImageDraw

TILE = 32  # least side of an image in a grid, in pixels: smaller ones are enlarged


def image_grid(images, columns, row_names=None):
    """Lays images out row by row.

    Args:
        images: `[N, H, W, C]`, float in [0, 1] or uint8, C of 1 or 3.
        columns: Images a row.
        row_names: A name for each row, written on its left.

    Returns:
        A PIL image.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        images = np.round(np.clip(images, 0, 1) * 255).astype(np.uint8)
    zoom = -(-TILE // images.shape[1])
    images = images.repeat(zoom, 1).repeat(zoom, 2)
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    margin = 1
    sheet = np.full((rows * (height + margin), columns * (width + margin), 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + margin), (i % columns) * (width + margin)
        sheet[top:top + height, left:left + width] = image  # one channel spreads over three
    picture = Image.fromarray(sheet)
    if not row_names:
        return picture
    draw = ImageDraw.Draw(picture)
    gutter = 8 + int(max(draw.textlength(name) for name in row_names))
    named = Image.new("RGB", (picture.width + gutter, picture.height), "white")
    named.paste(picture, (gutter, 0))
    draw = ImageDraw.Draw(named)
    for row, name in enumerate(row_names):
        draw.text((4, row * (height + margin) + height // 2), name, fill="black", anchor="lm")
    return named


def training_curves(metrics):
    """Plots every loss and spread of a run against the epoch, a panel a stage and kind.

    Args:
        metrics: The lines of `metrics.jsonl`, as `Run.read_metrics` returns them.

    Returns:
        A PIL image.
    """
    import io

    from matplotlib.figure import Figure

    stages = list(dict.fromkeys(line["stage"] for line in metrics))
    figure = Figure(figsize=(4.5 * len(stages), 6), layout="constrained")
    panels = figure.subplots(2, len(stages), squeeze=False)
    for column, stage in enumerate(stages):
        lines = [line for line in metrics if line["stage"] == stage]
        names = sorted({name for line in lines for name in line} - {"stage", "epoch", "step", "seconds"})
        epochs = [line["epoch"] for line in lines]
        spreads = [name for name in names if "spread" in name or name == "accuracy"]
        for panel, chosen in zip(panels[:, column], ([name for name in names if name not in spreads], spreads)):
            for name in chosen:
                panel.plot(epochs, [line[name] for line in lines], marker="." if len(epochs) < 30 else None, label=name)
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
