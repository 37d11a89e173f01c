"""Images as arrays, as grids and as PNG files."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sgan_tf.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

TILE = 32  # least side of an image in a grid, in pixels: smaller ones are enlarged
ROWS = 10  # of a picture of images of one class
MOST_CLASSES = 20  # that a picture, a table or a list shows; some of them where there are more
TEXT = 16  # height of a line of text, in pixels
# What a picture can be written as, by the suffix of its file: format, and most pixels of a side.
FORMATS = {
    ".png": ("PNG", 2**31 - 1),
    ".jpg": ("JPEG", 65_500),
    ".jpeg": ("JPEG", 65_500),
    ".webp": ("WEBP", 16_383),
}


def as_float(images: npt.ArrayLike) -> np.ndarray:
    """Returns images as float32 in [0, 1]; uint8 is divided by 255."""
    images = np.asarray(images)
    return images.astype("float32") / 255 if images.dtype == np.uint8 else images.astype("float32")


def image_grid(
    images: np.ndarray,
    columns: int,
    row_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
) -> "Image.Image":
    """Lays images out row by row.

    Args:
        images: `[N, H, W, C]`, float in [0, 1] or uint8, C of 1 or 3.
        columns: Images a row.
        row_names: A name for each row, written on its left.
        column_names: A name for each column, written above.

    Returns:
        A PIL image.
    """
    from PIL import Image, ImageDraw  # here: the models, which need `as_float`, load no Pillow

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
        sheet[top : top + height, left : left + width] = image  # one channel spreads over three
    picture = Image.fromarray(sheet)
    draw = ImageDraw.Draw(picture)
    gutter = 8 + int(max(draw.textlength(name) for name in row_names)) if row_names else 0
    header = TEXT if column_names else 0
    named = Image.new("RGB", (picture.width + gutter, picture.height + header), "white")
    named.paste(picture, (gutter, header))
    draw = ImageDraw.Draw(named)
    for row, name in enumerate(row_names or []):
        draw.text(
            (4, header + row * (height + margin) + height // 2), name, fill="black", anchor="lm"
        )
    for column, name in enumerate(column_names or []):
        fitting = next(
            name[:n] for n in range(len(name), -1, -1) if draw.textlength(name[:n]) <= width
        )
        draw.text(
            (gutter + column * (width + margin) + width // 2, header // 2),
            fitting,
            fill="black",
            anchor="mm",
        )
    return named


def class_rows(
    class_names: Sequence[str],
    present: Sequence[int] | np.ndarray | None = None,
    most: int = MOST_CLASSES,
) -> tuple[np.ndarray, list[str] | None]:
    """Returns what the rows of a picture hold: one class each, evenly chosen where they are many.

    Args:
        class_names: K strings.
        present: Labels; a class that is not among them gets no row. Defaults to all K.
        most: Integer. Most rows of several classes. Defaults to `MOST_CLASSES`.

    Returns:
        `(label of each row, integers; its name)`. Of one class there are ten rows without names.
    """
    if len(class_names) == 1:
        return np.zeros(ROWS, int), None
    labels = np.arange(len(class_names)) if present is None else np.unique(present).astype(int)
    if len(labels) > most:
        labels = labels[np.arange(most) * len(labels) // most]
    return labels, [class_names[label] for label in labels]


def rows_caption(num_classes: int) -> str:
    """Returns what the rows of `class_rows` are, in words; nothing where there is one class."""
    if num_classes > MOST_CLASSES:
        return f"a row for each of {MOST_CLASSES} of the {num_classes:,} classes"
    return "a row a class" if num_classes > 1 else ""


def png(picture: "Image.Image") -> bytes:
    """Returns a PIL image as the bytes of a PNG file."""
    return encoded(picture, ".png")


def encoded(picture: "Image.Image", suffix: str) -> bytes:
    """Returns a PIL image as the bytes of a file; as a PNG in one channel where it has no colour.

    Args:
        picture: The image, of mode RGB or L.
        suffix: A key of `FORMATS`: of the file's name.

    Raises:
        UserError: when the image is too large for the format.
    """
    name, most = FORMATS[suffix]
    if max(picture.size) > most:
        raise UserError(
            f"`out`: {name} holds {most} pixels a side, and the picture has {max(picture.size)}; "
            "write .png"
        )
    if name == "PNG":
        first, *others = picture.split()
        picture = first if all(channel == first for channel in others) else picture
    buffer = io.BytesIO()
    picture.save(buffer, format=name, **({} if name == "PNG" else {"quality": 95}))
    return buffer.getvalue()
