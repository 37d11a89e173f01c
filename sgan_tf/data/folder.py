"""Reads a folder of images, with or without one sub-folder per class, and makes a test split."""

import contextlib
import dataclasses
import hashlib
import logging
import os
import pathlib
from typing import NamedTuple

import numpy as np

from sgan_tf.data import decoding, image_cache
from sgan_tf.errors import DataError, shown

log = logging.getLogger("sgan_tf")

ONE_CLASS = "image"  # the class of all images if they have no classes
TEST_PERCENT = 10  # of the images of each class
NAMES = 20  # most names that a line lists
CLASSES = 10  # most class names that a line lists
# What operating systems, network storage and archives leave beside images, in lower case.
SYSTEM_FOLDERS = {
    *("@eadir", "__macosx", "lost+found", "$recycle.bin", "#recycle", "#snapshot"),
    *("system volume information", ".thumbnails"),
}
TRAINING_SPLIT = "train"
# If a folder has several, the first in this order is the test split, and the others are left out.
TEST_SPLITS = ("test", "val", "valid", "validation", "dev")


class _ImageFiles(NamedTuple):
    """The files of a folder of images."""

    classes: dict[str, list[pathlib.Path]]  # sorted paths of the images of each class
    skipped: list[pathlib.Path]
    tests: set[pathlib.Path] | None = None  # the images of the folder's test split, if it has one


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a folder's images were read.

    Attributes:
        resize: String. What was done to an image that is not square, see `read_folder`.
        skip_unreadable: Boolean. Whether images that cannot be read were left out.
        fingerprint: String. The checksum of the files and of these options, see `image_cache`.
        unreadable: List of integers. The numbers of the files that were left out as unreadable, in
            the order of the files.
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
        class_names: List of K strings. The names of the sub-folders, sorted, or `ONE_CLASS` alone
            if there are no classes.
        images: uint8 `np.ndarray` `[N, side, side, C]`. C is 1 if all images are gray, otherwise 3.
        labels: int32 `np.ndarray` `[N]` in [0, K). The labels of the images.
        in_test: bool `np.ndarray` `[N]`. True for the images of the test split.
        reading: `Reading`. How the images were read.
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
    """Reads all images of a folder, and logs their number and what was skipped.

    Images in sub-folders of a class's folder belong to the class. A tenth of each class is held out
    for testing, chosen by a hash of the file names. A class of two or more images has at least one
    image in each split. A folder whose sub-folders are `train` and one of `TEST_SPLITS` is split
    already, and the sub-folders of these are the classes.

    Symbolic links are followed, but not to a folder that holds them, and not into another class.
    `SYSTEM_FOLDERS` are skipped.

    Args:
        root: Path. The folder, with one sub-folder per class.
        side: Integer. The side of the returned images in pixels.
        resize: String. What is done to an image that is not square: `crop` keeps its center, `pad`
            adds white, `squash` changes its proportions. Defaults to `crop`.
        skip_unreadable: Boolean. Whether to leave out images that cannot be read, and to name them
            in the log. Defaults to False.
        cache_dir: Path. Where `keep` wrote the images of a folder. They are read from there as long
            as the files and the options are the same. Nothing is written. Defaults to None.
        classes: Boolean. Whether the sub-folders have to be classes. If False, they are classes
            only if two or more of them hold all images. Otherwise all images, also those in
            sub-folders, are one class. Defaults to True.

    Returns:
        A `Folder`.

    Raises:
        DataError: when there are fewer than two classes, a class without images, images that
            cannot be read (all are named) or too few images for a split, and when only some of
            the sub-folders are splits.
    """
    root = pathlib.Path(root).expanduser()
    if resize not in decoding.RESIZES:
        raise DataError(f"`resize`: '{resize}' is none of {', '.join(decoding.RESIZES)}")
    if not root.is_dir():
        raise DataError(f"`data_dir`: {shown(root)} is not a directory")
    try:
        found = _find(root) if classes else _find_any(root)
        paths = [path for paths in found.classes.values() for path in paths]
        mark = image_cache.fingerprint(root, paths, side, resize, skip_unreadable)
    except OSError as error:
        raise DataError(f"`data_dir`: {shown(error.filename)}: {error.strerror}") from error
    if classes:
        _check_classes(root, found.classes)
    elif not paths:
        raise DataError(f"`data_dir`: {shown(root)} holds no image")
    if found.skipped:
        log.info(
            "%s: skipped %d hidden files, folders of the system, links that lead to nothing, up or "
            "into another class, files in no class and files that are no images by their ending: "
            "%s",
            shown(root),
            len(found.skipped),
            _join([shown(path.relative_to(root)) for path in found.skipped]),
        )
    cached = cache_dir and _read_cache(cache_dir, mark, paths, side, resize)
    if not cached:
        log.info("%s: reading %s images", shown(root), f"{len(paths):,}")
    images, faults = cached or decoding.read_images(paths, side, resize)
    if faults:
        _report(paths, faults, skip_unreadable)
    kept = [number for number in range(len(paths)) if number not in faults]
    names = list(found.classes)
    sizes = [len(paths) for paths in found.classes.values()]
    labels = np.repeat(np.arange(len(names), dtype=np.int32), sizes)[kept]
    kept_paths = [paths[i] for i in kept]
    in_test = _split(root, names, kept_paths, labels, found.tests)
    if cached:
        order = np.argsort(in_test, kind="stable")  # the order in which `keep` wrote them
        images = images[np.argsort(order)]
    reading = Reading(resize, skip_unreadable, mark, list(faults))
    return Folder(names, images, labels, in_test, reading)


def keep(
    cache_dir: str | os.PathLike, reading: Reading, train: np.ndarray, test: np.ndarray
) -> None:
    """Writes a folder's images to a cache for `read_folder`, unless it holds them already.

    If they cannot be written, the log warns of it, and nothing else happens.

    Args:
        cache_dir: Path. The folder of the cache, which is created if it is missing.
        reading: `Reading`. The `Folder`'s `reading`.
        train: uint8 `np.ndarray` `[N, side, side, C]`. The training images.
        test: uint8 `np.ndarray` `[M, side, side, C]`. The test images.
    """
    if image_cache.load(cache_dir, reading.fingerprint) is not None:
        return
    arrays = {"images": np.concatenate([train, test]), "unreadable": np.array(reading.unreadable)}
    try:
        image_cache.store(cache_dir, reading.fingerprint, arrays)
    except OSError as error:
        log.warning("%s: cannot keep the images: %s", shown(cache_dir), error.strerror or error)


def _read_cache(cache_dir, mark, paths, side, resize):
    """Returns `(images, {number in paths: fault})`, training images first; None if not cached."""
    arrays = image_cache.load(cache_dir, mark)
    if arrays is None:
        return None
    numbers = [int(number) for number in arrays["unreadable"]]
    _, faults = decoding.read_images([paths[number] for number in numbers], side, resize)
    if len(faults) < len(numbers):  # repaired without a new time, as its permissions
        return None
    return arrays["images"], dict(zip(numbers, faults.values()))


def holds_classes(root: str | os.PathLike) -> bool:
    """Returns whether a folder has a sub-folder that holds an image, judging by file names.

    Args:
        root: Path. The folder.

    Returns:
        Boolean. False if the folder cannot be read.
    """
    root = pathlib.Path(root).expanduser()
    with contextlib.suppress(OSError):
        return root.is_dir() and any(_find(root).classes.values())
    return False


def _find(root):
    """Finds the images of a folder's sub-folders, each of which is a class, or of its splits."""
    folders, skipped = _sub_folders(root)
    splits = _split_folders(folders)
    if splits is None:
        return _ImageFiles(_images_by_class(folders, root, skipped), skipped)
    others = [path.name for path in folders if path not in splits]
    if others:
        raise DataError(
            f"`data_dir`: {shown(root)} has the splits {', '.join(sorted(p.name for p in splits))},"
            f" and beside them {_join(others)}; expected either one sub-directory per class, or "
            f"{TRAINING_SPLIT} and one of {', '.join(TEST_SPLITS)} with one sub-directory per "
            "class in each"
        )
    train, test, *unused = splits
    return _of_splits(root, train, test, skipped + unused)


def _of_splits(root, train, test, skipped):
    """Finds the images of a folder that is split already: `train/cats`, `test/cats`, …"""
    parts = []
    for split in (train, test):
        folders, others = _sub_folders(split)
        skipped += others
        parts.append(_images_by_class(folders, root, skipped))
    unknown = [name for name in parts[1] if name not in parts[0]]
    if unknown:
        raise DataError(
            f"`data_dir`: {shown(test)} has classes that {shown(train)} lacks: {_join(unknown)}"
        )
    classes = {name: paths + parts[1].get(name, []) for name, paths in parts[0].items()}
    return _ImageFiles(classes, skipped, {path for paths in parts[1].values() for path in paths})


def _find_any(root):
    """Finds the images of a folder that need not have classes; without them, all are one class."""
    found = _find(root)
    classes = {name: paths for name, paths in found.classes.items() if paths}
    images, others = _images_below(root, [root])
    if len(classes) > 1 and len(images) == sum(map(len, classes.values())):
        return found._replace(classes=classes)
    split = _split_folders(_sub_folders(root)[0])
    if split is None:
        return _ImageFiles({ONE_CLASS: images}, others)
    _, test, *unused = split
    kept = [path for path in images if not any(map(path.is_relative_to, unused))]
    tests = {path for path in kept if path.is_relative_to(test)}
    return _ImageFiles({ONE_CLASS: kept}, others + unused, tests)


def _split_folders(folders):
    """Returns `[training folder, test folder, test folders that are not used…]`; None without."""
    known = {path.name.lower(): path for path in folders}
    tests = [known[name] for name in TEST_SPLITS if name in known]
    return [known[TRAINING_SPLIT], *tests] if TRAINING_SPLIT in known and tests else None


def _sub_folders(folder):
    """Returns `(sorted sub-folders, other paths)`; hidden and system folders are other paths."""
    folders: list[pathlib.Path] = []
    others: list[pathlib.Path] = []
    for path in sorted(folder.iterdir()):
        wanted = path.is_dir() and not _is_skipped(path)
        (folders if wanted else others).append(path)
    return folders, others


def _is_skipped(path):
    return path.name.startswith(".") or path.name.lower() in SYSTEM_FOLDERS


def _images_by_class(folders, root, skipped):
    """Returns `{class: sorted paths of its images}`; adds all other paths to `skipped`."""
    classes = {}
    for folder in folders:
        images, others = _images_below(folder, [root, *folders])
        classes[folder.name] = images
        skipped += others
    return classes


def _images_below(folder, fenced):
    """Returns `(sorted paths of the images below a folder, other paths)`, each file once.

    Args:
        folder: Path. A folder, which may itself be a link.
        fenced: List of paths. The folders that a link must not lead to, into or around, unless it
            stays in `folder`.
    """
    endings, images, others, visited = decoding.endings(), [], [], set()
    home = pathlib.Path(os.path.realpath(folder))
    fences = [pathlib.Path(os.path.realpath(path)) for path in fenced]

    def leaves(path):
        place = pathlib.Path(os.path.realpath(path))
        if place.is_relative_to(home) and place != home:
            return False
        return any(place.is_relative_to(f) or f.is_relative_to(place) for f in fences)

    def walk(parent):
        # Links come last, so that a file is found under its own path rather than a link's.
        for path in sorted(parent.iterdir(), key=lambda path: (path.is_symlink(), path)):
            place = os.path.realpath(path)
            is_new = place not in visited and not (path.is_symlink() and leaves(path))
            if _is_skipped(path) or not is_new:
                others.append(path)
            elif path.is_dir():
                visited.add(place)
                walk(path)
            elif path.suffix.lower() in endings and path.is_file():
                visited.add(place)
                images.append(path)
            else:
                others.append(path)

    walk(folder)
    return sorted(images), sorted(others)


def _check_classes(root, classes):
    if len(classes) < 2:
        raise DataError(
            f"`data_dir`: {shown(root)} has {len(classes)} sub-directories with images; at least "
            "2 classes are needed, one sub-directory each; or train without, by `labels` none"
        )
    empty = [shown(root / name) for name, paths in classes.items() if not paths]
    if empty:
        raise DataError(
            f"`data_dir`: a class holds no image: {_join(empty)}; add some, or remove the "
            "sub-directory"
        )


def _join(names, most=NAMES):
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def _report(paths, faults, skip_unreadable):
    count = f"{len(faults):,} unreadable image{'s' if len(faults) > 1 else ''}"
    names = _join([f"{shown(paths[number])} ({why})" for number, why in faults.items()])
    if not skip_unreadable:
        raise DataError(
            f"`data_dir`: {count}: {names}; repair or remove them, or pass over them with "
            "`skip_unreadable`"
        )
    log.warning("skipped %s: %s", count, names)


def _split(root, class_names, paths, labels, tests):
    """Returns which images are in the test split, bool `[N]`, and logs how many images there are.

    Args:
        root: Path. The folder.
        class_names: List of K strings. The names of the classes.
        paths: List of N paths. The images.
        labels: int32 `np.ndarray` `[N]`. The labels of the images.
        tests: Set of paths. The images of the folder's test split; None if it has none.
    """
    counts = np.bincount(labels, minlength=len(class_names))
    for name, count in zip(class_names, counts):
        if not count:
            place = root / name if len(class_names) > 1 else root
            raise DataError(f"`data_dir`: {shown(place)} holds no image that can be read")
    if tests is None:
        in_test = _choose_test_images(root, class_names, paths, labels)
    else:
        in_test = np.array([path in tests for path in paths], bool)
        trained = np.bincount(labels[~in_test], minlength=len(class_names))
        for name, count in zip(class_names, trained):
            if not count:
                raise DataError(
                    f"`data_dir`: class {shown(name)} of {shown(root)} has no image for training"
                )
    if not in_test.any():
        raise DataError(
            f"`data_dir`: {shown(root)} has too few images ({len(paths)}) for a training and a "
            f"test split; add more to {shown(class_names[0])}"
        )
    log.info(
        "%s: %s images%s, %s of them for testing%s",
        shown(root),
        f"{len(paths):,}",
        f" in {len(class_names):,} classes ({_join(list(map(shown, class_names)), CLASSES)})"
        if len(class_names) > 1
        else "",
        f"{in_test.sum():,}",
        "" if tests is None else ", as its sub-folders say",
    )
    return in_test


def _choose_test_images(root, class_names, paths, labels):
    """Chooses a tenth of each class by a hash of names; at least one and not all, if it has two."""
    names = [path.relative_to(root) for path in paths]
    in_test = np.array([_hash(name) % 100 < TEST_PERCENT for name in names], bool)
    for label, class_name in enumerate(class_names):
        members = np.flatnonzero(labels == label)
        by_hash = sorted(members, key=lambda number: (_hash(names[number]) % 100, number))
        if not in_test[members].any():
            in_test[by_hash[0]] = True
        if in_test[members].all():
            in_test[by_hash[-1]] = False
        if len(members) == 1:
            log.warning("class %s has one image, for training; none tests it", shown(class_name))
    return in_test


def _hash(name):
    """Hashes a file's name, so that it mostly stays in its split when other files are added."""
    return int.from_bytes(hashlib.sha256(os.fsencode(name.as_posix())).digest()[:4], "big")
