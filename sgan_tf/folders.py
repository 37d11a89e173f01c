"""Reads a folder of images, one sub-folder a class, into arrays and splits it for testing.

Every image becomes RGB of `side` x `side` pixels with values in [0, 255]:

- its EXIF rotation is applied, and of an animation the first frame is read;
- where it is transparent, white shows (alpha, and palettes with a transparent colour);
- 16-bit grey is scaled by its full range, 65535; CMYK is converted without its colour profile;
- one that is not square is cropped to its centre, padded with white (as transparency is), or
  squashed.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import logging
import os
import pathlib
import sys
import threading
import warnings

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from sgan_tf.errors import DataError

log = logging.getLogger("sgan_tf")

RESIZES = ("crop", "pad", "squash")
TEST_PERCENT = 10  # of a class's images
MAX_PIXELS = (
    100_000_000  # of one decoded image, 0.4 GB; a JPEG is decoded at a fraction of its size
)
LARGE = 16_000_000  # pixels above which images are decoded one at a time, to bound memory
NAMES = 20  # listed in a line, of many
THREADS = 8  # Pillow decodes and resizes without Python's lock; also hides a slow disk
GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"}
# Formats that Pillow knows by their ending, but cannot draw by itself.
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


@dataclasses.dataclass(frozen=True)
class Folder:
    """What a folder of images holds.

    Attributes:
        class_names: K names of sub-folders, sorted.
        images: uint8 `[N, side, side, C]`, C of 1 when all images are grey, else 3.
        labels: int32 `[N]` in [0, K).
        in_test: bool `[N]`, true for the images kept for testing.
    """

    class_names: list
    images: np.ndarray
    labels: np.ndarray
    in_test: np.ndarray


def read_folder(
    root: str | os.PathLike, side: int, resize: str = "crop", skip_unreadable: bool = False
) -> Folder:
    """Reads all images of a folder; the package's log says how many, and what was passed over.

    Images in sub-folders of a class's folder belong to the class. A tenth of each class, chosen by
    a hash of names, is kept for testing; at least one image, and not all, where it has two.

    Args:
        root: The folder, with one sub-folder a class.
        side: Of the images that are returned, in pixels.
        resize: What is done to an image that is not square: `crop` keeps its centre, `pad` adds
            white, `squash` changes its proportions.
        skip_unreadable: Pass over images that cannot be read, naming them in the log.

    Returns:
        A `Folder`.

    Raises:
        DataError: when there are fewer than two classes, a class without images, images that
            cannot be read (all are named) or too few for a split.
    """
    root = pathlib.Path(root).expanduser()
    if resize not in RESIZES:
        raise DataError(f"`resize`: '{resize}' is none of {', '.join(RESIZES)}")
    if not root.is_dir():
        raise DataError(f"`data_dir`: {shown(root)} is not a directory")
    try:
        classes, skipped = _find(root)
    except OSError as error:
        raise DataError(f"`data_dir`: {shown(error.filename)}: {error.strerror}") from error
    _check_classes(root, classes)
    if skipped:
        log.info(
            "%s: skipped %d hidden files, links to nothing, files in no class and files that are "
            "no images by their ending: %s",
            shown(root),
            len(skipped),
            _listed([shown(path.relative_to(root)) for path in skipped]),
        )
    paths = [path for paths in classes.values() for path in paths]
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(p) for p in classes.values()])
    images, grey, faults = _read_all(paths, side, resize)
    if faults:
        _report(paths, faults, skip_unreadable)
    kept = np.array([number not in faults for number in range(len(paths))])
    names = [path.relative_to(root) for path, keep in zip(paths, kept) if keep]
    images, labels = images[kept] if faults else images, labels[kept]
    in_test = _split(root, list(classes), names, labels)
    return Folder(list(classes), images[..., :1] if grey else images, labels, in_test)


def holds_classes(root: str | os.PathLike) -> bool:
    """Tells whether a folder has a sub-folder that holds an image, as far as names tell."""
    root = pathlib.Path(root).expanduser()
    with contextlib.suppress(OSError):
        return root.is_dir() and any(_find(root)[0].values())
    return False


def shown(path) -> str:
    """Returns a path as it can be printed in one line."""
    return "".join(character if character.isprintable() else "?" for character in str(path))


def _find(root):
    """Returns `({class: sorted paths of its images}, other paths)`."""
    Image.init()
    known = {*Image.OPEN, "MPO"} - NO_IMAGES
    endings = {ending for ending, name in Image.EXTENSION.items() if name in known}
    classes, skipped = {}, []
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or not path.is_dir():
            skipped.append(path)
        else:
            classes[path.name] = []
            _walk(path, endings, set(), classes[path.name], skipped)
    return classes, skipped


def _walk(folder, endings, seen, found, skipped):
    place = os.path.realpath(folder)
    if place in seen:  # links may run in a circle
        return
    seen.add(place)
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            skipped.append(path)
        elif path.is_dir():
            _walk(path, endings, seen, found, skipped)
        elif path.suffix.lower() in endings and path.is_file():
            found.append(path)
        else:
            skipped.append(path)


def _check_classes(root, classes):
    if len(classes) < 2:
        raise DataError(
            f"`data_dir`: {shown(root)} has {len(classes)} sub-directories with images; at least "
            "2 classes are needed, one sub-directory each"
        )
    empty = [shown(root / name) for name, paths in classes.items() if not paths]
    if empty:
        raise DataError(
            f"`data_dir`: a class holds no image: {_listed(empty)}; add some, or remove the "
            "sub-directory"
        )


def _listed(names):
    more = len(names) - NAMES
    return ", ".join(names[:NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _report(paths, faults, skip_unreadable):
    count = f"{len(faults):,} unreadable image{'s' if len(faults) > 1 else ''}"
    names = _listed([f"{shown(paths[number])} ({why})" for number, why in faults.items()])
    if not skip_unreadable:
        raise DataError(
            f"`data_dir`: {count}: {names}; repair or remove them, or pass over them with "
            "`skip_unreadable`"
        )
    log.warning("skipped %s: %s", count, names)


def _split(root, class_names, names, labels):
    """Returns what is in the test split, bool `[N]`, and logs how many images there are."""
    in_test = np.array([_hash(name) % 100 < TEST_PERCENT for name in names], bool)
    counts = np.bincount(labels, minlength=len(class_names))
    for label, (name, count) in enumerate(zip(class_names, counts)):
        if not count:
            raise DataError(f"`data_dir`: {shown(root / name)} holds no image that can be read")
        members = np.flatnonzero(labels == label)
        by_hash = sorted(members, key=lambda number: (_hash(names[number]) % 100, number))
        if not in_test[members].any():
            in_test[by_hash[0]] = True
        if in_test[members].all():
            in_test[by_hash[-1]] = False
        if count == 1:
            log.warning("class %s has one image, for training; none tests it", shown(name))
    if not in_test.any():
        raise DataError(
            f"`data_dir`: {shown(root)} has too few images ({len(names)}) for a training and a "
            f"test split; add more to {shown(class_names[0])}"
        )
    log.info(
        "%s: %s images in %s classes, %s of them for testing",
        shown(root),
        f"{len(names):,}",
        f"{len(class_names):,}",
        f"{in_test.sum():,}",
    )
    return in_test


def _hash(name):
    """A number of a file's name: it stays in its split, mostly, whatever is added beside it."""
    return int.from_bytes(hashlib.sha256(os.fsencode(name.as_posix())).digest()[:4], "big")


def _read_all(paths, side, resize):
    """Reads images in threads; returns `(images, all are grey, {number in paths: its fault})`."""
    from tqdm import tqdm

    images, grey, faults = np.empty((len(paths), side, side, 3), np.uint8), True, {}
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
        pool.shutdown(cancel_futures=True)  # at Ctrl-C too
    return images, grey, faults


@contextlib.contextmanager
def _pillow_is_quiet():
    """Lifts Pillow's own limit of pixels, for which there is `MAX_PIXELS`, and its warnings."""
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
            # A JPEG shrinks by up to 8 as it is decoded. Twice the side is left to be resampled.
            # A progressive one is held whole nevertheless.
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
    """The EXIF tag; as a square may be turned at the end, far less is moved."""
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
    # The gap makes a huge image fast: it is averaged over blocks first, to 3 times the size.
    small = image.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=3.0)
    square = Image.new("RGB", (side, side), "white")
    corner = ((side - size[0]) // 2, (side - size[1]) // 2)
    square.paste(small, corner, small if small.mode == "RGBA" else None)
    return square
