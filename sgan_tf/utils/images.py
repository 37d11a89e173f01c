"""Converts images to arrays, grids and picture files."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sgan_tf.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

TILE = 32  # least height of an image in a grid, in pixels; smaller images are enlarged
ROWS = 10  # rows of a picture if there is one class
MOST_CLASSES = 20  # most classes that a picture, a table or a list shows
TEXT = 16  # height of a line of text, in pixels
# The format of a picture file and its largest side in pixels, by the suffix of the file.
FORMATS = {
    ".png": ("PNG", 2**31 - 1),
    ".jpg": ("JPEG", 65_500),
    ".jpeg": ("JPEG", 65_500),
    ".webp": ("WEBP", 16_383),
}


def as_float(images: npt.ArrayLike) -> np.ndarray:
    """Converts images to float32.

    Args:
        images: Array of any shape: uint8, which is divided by 255, or float in [0, 1].

    Returns:
        `np.ndarray`, float32 of the same shape, in [0, 1].
    """
    images = np.asarray(images)
    return images.astype("float32") / 255 if images.dtype == np.uint8 else images.astype("float32")


def image_grid(
    images: np.ndarray,
    columns: int,
    row_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
) -> "Image.Image":
    """Arranges images in a grid, row by row.

    Args:
        images: `np.ndarray`. The images `[N, H, W, C]`, float in [0, 1] or uint8. C is 1 or 3.
        columns: Integer. Number of images per row.
        row_names: List of strings. One name per row, which is written on its left. Defaults to
            None.
        column_names: List of strings. One name per column, which is written above it and cut to its
            width. Defaults to None.

    Returns:
        PIL image of mode RGB.
    """
    from PIL import Image, ImageDraw  # here, as the models need `as_float` but not Pillow

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
    """Returns the classes that the rows of a picture show, one class per row.

    If there are more classes than rows, the classes are evenly spaced. If there is only one class,
    the picture has `ROWS` rows without names.

    Args:
        class_names: List of K strings.
        present: Integer array or list. Labels; a class that is not among them gets no row. Defaults
            to all K classes.
        most: Integer. Largest number of rows if there are several classes. Defaults to
            `MOST_CLASSES`.

    Returns:
        Tuple `(labels, names)`: the label of each row, an integer array, and the name of each row,
        a list of strings, or None if there is only one class.
    """
    if len(class_names) == 1:
        return np.zeros(ROWS, int), None
    labels = np.arange(len(class_names)) if present is None else np.unique(present).astype(int)
    if len(labels) > most:
        labels = labels[np.arange(most) * len(labels) // most]
    return labels, [class_names[label] for label in labels]


def rows_caption(num_classes: int) -> str:
    """Describes the rows of `class_rows` in words.

    Args:
        num_classes: Integer. Number of classes, K.

    Returns:
        String; `""` if there is only one class.
    """
    if num_classes > MOST_CLASSES:
        return f"a row for each of {MOST_CLASSES} of the {num_classes:,} classes"
    return "one row per class" if num_classes > 1 else ""


def png(picture: "Image.Image") -> bytes:
    """Returns a PIL image as the bytes of a PNG file.

    Args:
        picture: PIL image of mode RGB or L.

    Returns:
        Bytes.
    """
    return encoded(picture, ".png")


def encoded(picture: "Image.Image", suffix: str) -> bytes:
    """Returns a PIL image as the bytes of a file. A PNG without color gets a single channel.

    Args:
        picture: PIL image of mode RGB or L.
        suffix: String. Suffix of the file's name, a key of `FORMATS`.

    Returns:
        Bytes.

    Raises:
        UserError: If the image is too large for the format.
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
