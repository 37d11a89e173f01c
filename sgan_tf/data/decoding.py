"""Decodes image files of every format that Pillow reads into square 8-bit images.

Every image becomes RGB of `side` x `side` pixels with values in [0, 255]:

- Its EXIF rotation is applied. Of an animation, the first frame is read.
- Transparency becomes white (alpha, and palettes with a transparent color).
- 16-bit gray is scaled by its full range, 65535. CMYK is converted without its color profile.
- An image that is not square is cropped to its center, padded with white, or squashed.
"""

import concurrent.futures
import contextlib
import sys
import threading
import warnings

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from sgan_tf.errors import DataError, shown

RESIZES = ("crop", "pad", "squash")
MAX_PIXELS = 100_000_000  # per decoded image, 0.4 GB; a JPEG is decoded at a fraction of its size
LARGE = 16_000_000  # pixels above which images are decoded one at a time, to bound memory
THREADS = 8  # Pillow decodes and resizes without Python's lock; also hides a slow disk
GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"}
# Formats whose file extensions Pillow knows, but which it cannot decode without other programs.
NO_IMAGES = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "PALM", "PDF", "WMF"}
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_one_large = threading.Lock()


def endings() -> set:
    """Returns the extensions of the files that are read, such as `.png`."""
    Image.init()
    known = {*Image.OPEN, "MPO"} - NO_IMAGES
    return {ending for ending, name in Image.EXTENSION.items() if name in known}


def read_images(paths: list, side: int, resize: str = "crop") -> tuple[np.ndarray, dict[int, str]]:
    """Reads image files in threads, with a progress bar on a terminal.

    Args:
        paths: List of paths. The files.
        side: Integer. The side of the returned images in pixels.
        resize: String. One of `RESIZES`: what is done to an image that is not square. Defaults to
            `crop`.

    Returns:
        `(images, faults)`. `images` are those that can be read, uint8 `[N, side, side, C]`. C is 1
        if all of them are gray, otherwise 3. `faults` are the others: `{number in paths: what is
        wrong}`.

    Raises:
        DataError: when the images do not fit into memory.
    """
    from tqdm import tqdm

    try:
        images, grey, faults = np.empty((len(paths), side, side, 3), np.uint8), True, {}
    except (MemoryError, ValueError) as error:
        raise DataError(
            f"`image_size`: {len(paths):,} images of {side} x {side} pixels do not fit into memory"
        ) from error
    pool = concurrent.futures.ThreadPoolExecutor(THREADS)
    try:
        with _pillow_is_quiet():
            results = pool.map(lambda path: _read(path, side, resize), paths)
            bar = tqdm(results, "images", len(paths), leave=False, disable=not sys.stderr.isatty())
            for number, (pixels, is_grey, fault) in enumerate(bar):
                if fault:
                    faults[number] = fault
                else:
                    images[number], grey = pixels, grey and is_grey
    finally:
        pool.shutdown(cancel_futures=True)  # also at Ctrl-C
    images = np.delete(images, list(faults), axis=0) if faults else images
    return images[..., :1] if grey else images, faults


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Returns images with another number of channels.

    Args:
        images: uint8 `np.ndarray` `[N, H, W, 1 or 3]`. The images.
        channels: Integer. 1 or 3. One channel is the luma of ITU-R 601.

    Returns:
        uint8 `np.ndarray` `[N, H, W, channels]`.
    """
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return images.repeat(3, axis=-1)
    return np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])[
        ..., None
    ]


@contextlib.contextmanager
def _pillow_is_quiet():
    """Lifts Pillow's limit of pixels, since `MAX_PIXELS` replaces it, and silences its warnings."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _read(path, side, resize):
    """Returns `(uint8 [side, side, 3], is grey, None)`, or `(None, None, what is wrong)`."""
    try:
        with Image.open(path) as image:
            size = image.size
            # Decoding shrinks a JPEG by up to 8, to no less than twice the side before resampling.
            # A progressive JPEG would be held whole in memory nevertheless.
            if not image.info.get("progressive"):
                image.draft(None, (2 * side, 2 * side))
            pixels = image.width * image.height
            if pixels > MAX_PIXELS:
                return None, None, f"{size[0]} x {size[1]} pixels, over {MAX_PIXELS:,}"
            with _one_large if pixels > LARGE else contextlib.nullcontext():
                image.load()
                grey = image.mode in GREY
                square = _square(_eight_bits(image), side, resize)
            turn = TURNS.get(_orientation(image))
            return np.asarray(square if turn is None else square.transpose(turn)), grey, None
    except UnidentifiedImageError:
        return None, None, "in no format that Pillow reads"
    except Exception as error:  # Pillow's plugins raise whatever a broken file leads them to
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return None, None, shown(text.splitlines()[0])[:100]


def _orientation(image):
    """Returns the EXIF orientation. It is applied to the small square, which is faster."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged EXIF makes no image unreadable
        return None


def _eight_bits(image):
    """Returns an image of mode L, RGB or RGBA."""
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range no file states")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("pixels outside of 0 to 65535")
        eight = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
        if "transparency" in image.info:
            eight[values == image.info["transparency"]] = 255
        return Image.fromarray(eight)
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in GREY else "RGB")


def _square(image, side, resize):
    """Returns an RGB image of `side` x `side` pixels on white."""
    width, height = image.size
    size, box = (side, side), None
    if resize == "crop":
        short = min(width, height)
        left, top = (width - short) / 2, (height - short) / 2
        box = (left, top, left + short, top + short)
    elif resize == "pad":
        long = max(width, height)
        size = tuple(max(1, round(side * length / long)) for length in (width, height))
    # The gap makes huge images fast: they are averaged over blocks first, to 3 times the size.
    small = image.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    square = Image.new("RGB", (side, side), "white")
    corner = ((side - size[0]) // 2, (side - size[1]) // 2)
    square.paste(small, corner, small if small.mode == "RGBA" else None)
    return square
