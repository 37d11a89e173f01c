"""Reads a folder of images, with a sub-folder a class or without, and splits it for testing."""

import contextlib
import dataclasses
import hashlib
import logging
import os
import pathlib

import numpy as np

from sgan_tf.data import decoding, image_cache
from sgan_tf.errors import DataError, shown

log = logging.getLogger("sgan_tf")

ONE_CLASS = "image"  # the class of all images where they have none of their own
TEST_PERCENT = 10  # of a class's images
NAMES = 20  # listed in a line, of many


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a folder's images were read.

    Attributes:
        resize, skip_unreadable: As in `read_folder`.
        fingerprint: Of the files and of these options (`image_cache`).
        unreadable: Integers, which of the files, in their order, were passed over as unreadable.
    """

    resize: str
    skip_unreadable: bool
    fingerprint: str
    unreadable: list

    def options(self) -> dict:
        """Returns the arguments of `read_folder` that read the same images again."""
        return {"resize": self.resize, "skip_unreadable": self.skip_unreadable}


@dataclasses.dataclass(frozen=True)
class Folder:
    """What a folder of images holds.

    Attributes:
        class_names: K names of sub-folders, sorted; `ONE_CLASS` alone where there are none.
        images: uint8 `[N, side, side, C]`, C of 1 when all images are grey, else 3.
        labels: int32 `[N]` in [0, K).
        in_test: bool `[N]`, true for the images kept for testing.
        reading: How they were read.
    """

    class_names: list
    images: np.ndarray
    labels: np.ndarray
    in_test: np.ndarray
    reading: Reading


def read_folder(
    root: str | os.PathLike,
    side: int,
    resize: str = "crop",
    skip_unreadable: bool = False,
    cache_dir: str | os.PathLike | None = None,
    classes: bool = True,
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
        cache_dir: Where `keep` has left the images of a folder; they are read from there as long
            as the files and the options are the same. Nothing is written.
        classes: The sub-folders are classes, which there have to be. Else they are where all images
            lie in two or more of them; otherwise all images, in sub-folders too, are one class.

    Returns:
        A `Folder`.

    Raises:
        DataError: when there are fewer than two classes, a class without images, images that
            cannot be read (all are named) or too few for a split.
    """
    root = pathlib.Path(root).expanduser()
    if resize not in decoding.RESIZES:
        raise DataError(f"`resize`: '{resize}' is none of {', '.join(decoding.RESIZES)}")
    if not root.is_dir():
        raise DataError(f"`data_dir`: {shown(root)} is not a directory")
    try:
        found, skipped = _find(root) if classes else _find_any(root)
        paths = [path for paths in found.values() for path in paths]
        mark = image_cache.fingerprint(root, paths, side, resize, skip_unreadable)
    except OSError as error:
        raise DataError(f"`data_dir`: {shown(error.filename)}: {error.strerror}") from error
    if classes:
        _check_classes(root, found)
    elif not paths:
        raise DataError(f"`data_dir`: {shown(root)} holds no image")
    if skipped:
        log.info(
            "%s: skipped %d hidden files, links to nothing, files in no class and files that are "
            "no images by their ending: %s",
            shown(root),
            len(skipped),
            _listed([shown(path.relative_to(root)) for path in skipped]),
        )
    cached = cache_dir and _cached(cache_dir, mark, paths, side, resize)
    if not cached:
        log.info("%s: reading %s images", shown(root), f"{len(paths):,}")
    images, faults = cached or decoding.read_images(paths, side, resize)
    if faults:
        _report(paths, faults, skip_unreadable)
    kept = [number for number in range(len(paths)) if number not in faults]
    labels = np.repeat(np.arange(len(found), dtype=np.int32), [len(p) for p in found.values()])
    labels = labels[kept]
    in_test = _split(root, list(found), [paths[i].relative_to(root) for i in kept], labels)
    if cached:
        order = np.argsort(in_test, kind="stable")  # as `keep` got them
        images = images[np.argsort(order)]
    reading = Reading(resize, skip_unreadable, mark, list(faults))
    return Folder(list(found), images, labels, in_test, reading)


def keep(cache_dir: str | os.PathLike, reading: Reading, train: np.ndarray, test: np.ndarray):
    """Leaves a folder's images where `read_folder` finds them again, unless they are there.

    When they cannot be written, the log says so, and nothing else happens.

    Args:
        cache_dir: A folder, which is made when it is missing.
        reading: Of the `Folder`.
        train, test: Its images, uint8 `[N, side, side, C]`.
    """
    if image_cache.load(cache_dir, reading.fingerprint) is not None:
        return
    arrays = {"images": np.concatenate([train, test]), "unreadable": np.array(reading.unreadable)}
    try:
        image_cache.store(cache_dir, reading.fingerprint, arrays)
    except OSError as error:
        log.warning("%s: cannot keep the images: %s", shown(cache_dir), error.strerror or error)


def _cached(cache_dir, mark, paths, side, resize):
    """Returns `(images, training ones first; {number in paths: its fault})`; None without them."""
    arrays = image_cache.load(cache_dir, mark)
    if arrays is None:
        return None
    numbers = [int(number) for number in arrays["unreadable"]]
    _, faults = decoding.read_images([paths[number] for number in numbers], side, resize)
    if len(faults) < len(numbers):  # one could be mended without another time, as by its mode
        return None
    return arrays["images"], dict(zip(numbers, faults.values()))


def holds_classes(root: str | os.PathLike) -> bool:
    """Tells whether a folder has a sub-folder that holds an image, as far as names tell."""
    root = pathlib.Path(root).expanduser()
    with contextlib.suppress(OSError):
        return root.is_dir() and any(_find(root)[0].values())
    return False


def _find(root):
    """Returns `({class: sorted paths of its images}, other paths)`."""
    endings = decoding.endings()
    classes, skipped = {}, []
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or not path.is_dir():
            skipped.append(path)
        else:
            classes[path.name] = []
            _walk(path, endings, set(), classes[path.name], skipped)
    return classes, skipped


def _find_any(root):
    """The same of a folder that need not have classes: without, all its images are one."""
    classes, skipped = _find(root)
    classes = {name: paths for name, paths in classes.items() if paths}
    images, others = [], []
    _walk(root, decoding.endings(), set(), images, others)
    if len(classes) > 1 and len(images) == sum(map(len, classes.values())):
        return classes, skipped
    return {ONE_CLASS: images}, others


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
            "2 classes are needed, one sub-directory each; or train without, by `labels` none"
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
            place = root / name if len(class_names) > 1 else root
            raise DataError(f"`data_dir`: {shown(place)} holds no image that can be read")
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
        "%s: %s images%s, %s of them for testing",
        shown(root),
        f"{len(names):,}",
        f" in {len(class_names):,} classes" if len(class_names) > 1 else "",
        f"{in_test.sum():,}",
    )
    return in_test


def _hash(name):
    """A number of a file's name: it stays in its split, mostly, whatever is added beside it."""
    return int.from_bytes(hashlib.sha256(os.fsencode(name.as_posix())).digest()[:4], "big")
