"""Draws any number of samples in blocks, and writes them to one file or to shards.

Image i depends only on its label, the seed and i, and the label only on the seed and i. Images are
computed in blocks of `BLOCK` images that start at multiples of `BLOCK`, whichever rows are wanted,
because the rounding of convolutions may depend on the batch. Shards therefore hold exactly the rows
of the whole, bit for bit, in whatever order they are drawn, however often, and on any machine of
the same kind.
"""

import contextlib
import json
import os
import pathlib
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from sgan_tf.errors import UserError
from sgan_tf.models.batched import BATCH
from sgan_tf.utils.files import PARTIAL, InUse, sole_writer, write_whole

BLOCK = BATCH  # images that one call of `sample` computes
REQUEST = "samples.json"  # file in a folder of shards that describes the whole


class BulkError(UserError):
    """Raised if samples cannot be drawn or written. The message says why."""


class Block(NamedTuple):
    """Holds N consecutive images.

    Attributes:
        first: Integer. Number of the first image.
        images: uint8 `np.ndarray` `[N, H, W, C]`. The images, with values in [0, 255].
        labels: int64 `np.ndarray` `[N]`. The label of each image.
    """

    first: int
    images: np.ndarray
    labels: np.ndarray


def labels_in_turn(labels: Sequence[int]) -> Callable[[int], np.ndarray]:
    """Returns a function that gives the labels of a block by repeating a sequence.

    Args:
        labels: Sequence of integers. Image i has the label `labels[i % len(labels)]`.

    Returns:
        Function of a block's number that returns its labels, an integer `np.ndarray` `[BLOCK]`.
    """
    return lambda block: np.take(labels, np.arange(BLOCK) + block * BLOCK, mode="wrap")


def labels_as_frequent(counts: Sequence[int], seed: int) -> Callable[[int], np.ndarray]:
    """Returns a function that draws the labels of a block in proportion to class counts.

    Args:
        counts: Sequence of K integers. How often each class occurs, for example in a data set.
        seed: Integer. The same seed gives the same labels.

    Returns:
        Function of a block's number that returns its labels, an integer `np.ndarray` `[BLOCK]`.
    """
    shares = np.asarray(counts, np.float64) / np.sum(counts)

    def labels(block):
        # Philox (Salmon et al., 2011) starts at the block: each has 2^64 values of the counter.
        bits = np.random.Philox(key=seed, counter=block << 64)
        return np.random.Generator(bits).choice(len(shares), BLOCK, p=shares)

    return labels


class Blocks:
    """Iterates over blocks of samples, each of which is drawn when it is needed.

    The length of the iterable is the number of blocks.

    Args:
        stack: `StackSampler`. Only its method `sample` is used.
        labels: Function of a block's number that returns its `BLOCK` labels.
        seed: Integer. See `StackSampler.sample`.
        rows: Range with step 1. The numbers of the images to draw.
    """

    def __init__(
        self, stack: Any, labels: Callable[[int], np.ndarray], seed: int, rows: range
    ) -> None:
        self.stack, self.labels, self.seed, self.rows = stack, labels, seed, rows
        self._numbers = range(rows.start // BLOCK, -(-rows.stop // BLOCK))

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Block]:
        for number in self._numbers:
            first, labels = number * BLOCK, self.labels(number)
            drawn = self.stack.sample(labels, self.seed, first)
            kept = slice(max(self.rows.start - first, 0), self.rows.stop - first)
            images = np.round(255 * drawn[kept]).astype(np.uint8)
            yield Block(first + kept.start, images, labels[kept].astype(np.int64))


def shard_rows(count: int, index: int, shards: int) -> range:
    """Returns the rows of one shard. The sizes of shards differ by at most one row.

    Args:
        count: Integer. Number of rows in all shards together.
        index: Integer. Number of the shard, in [0, shards).
        shards: Integer. Number of shards.

    Returns:
        Range of row numbers.
    """
    return range(count * index // shards, count * (index + 1) // shards)


# Files


def _ahead(drawn):
    """Yields the same blocks, and draws the next in a thread while one is written."""
    blocks = iter(drawn)
    with ThreadPoolExecutor(1, "drawing") as thread:
        drawing = thread.submit(next, blocks, None)
        while (block := drawing.result()) is not None:
            drawing = thread.submit(next, blocks, None)
            yield block


def _write_png(path, drawn, count):
    """Writes a folder of PNG files `<number>_<label>.png`."""
    path.mkdir()
    for block in drawn:
        for i, (content, label) in enumerate(zip(_encoded(block.images), block.labels)):
            # `pathlib` takes a third longer, which adds up with one file per image.
            with open(f"{path}/{block.first + i:09d}_{label}.png", "wb", buffering=0) as file:
                file.write(content)


def _write_npz(path, drawn, count):
    """Writes `images` uint8 [N, H, W, C] and `labels` int64 [N], with one block in memory."""
    labels: list[np.ndarray] = []
    with zipfile.ZipFile(path, "w") as archive:
        # `ZipInfo` has a fixed time, so that the same images give the same bytes.
        with archive.open(zipfile.ZipInfo("images.npy"), "w", force_zip64=True) as file:
            for block in drawn:
                if not labels:
                    shape = (count, *block.images.shape[1:])
                    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(file, header)
                file.write(block.images.tobytes())
                labels.append(block.labels)
        with archive.open(zipfile.ZipInfo("labels.npy"), "w", force_zip64=True) as file:
            np.lib.format.write_array(file, np.concatenate(labels))


def _write_tfrecord(path, drawn, count):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as file:
        for block in drawn:
            for record in records(block):
                file.write(record)


def records(block: Block) -> Iterator[bytes]:
    """Serializes the images of a block.

    Args:
        block: `Block`. The images.

    Yields:
        One serialized `tf.train.Example` per image, with the features `image` (the bytes of a PNG
        file), `label` and `number` (integers).
    """
    import tensorflow as tf

    def integer(value):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    for i, (content, label) in enumerate(zip(_encoded(block.images), block.labels)):
        encoded = tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
        number = integer(block.first + i)
        features = {"image": encoded, "label": integer(label), "number": number}
        example = tf.train.Example(features=tf.train.Features(feature=features))
        yield example.SerializeToString()


def _encoded(images):
    """Encodes all images as PNG files in one call, which takes half the time of single calls."""
    import tensorflow as tf

    return tf.io.encode_png(images).numpy()


WRITERS = {"png": _write_png, "npz": _write_npz, "tfrecord": _write_tfrecord}
SUFFIXES = {"png": "", "npz": ".npz", "tfrecord": ".tfrecord"}


def write_file(path: pathlib.Path, format: str, drawn: Iterable[Block], count: int) -> None:
    """Writes images to a file, or for `png` to a folder, completely or not at all.

    Args:
        path: `pathlib.Path`. The file, in a folder that exists. An existing file is replaced; an
            existing folder is not.
        format: String. A key of `WRITERS`.
        drawn: Iterable of `Block`. The images.
        count: Integer. Number of the images.

    Raises:
        BulkError: If the file cannot be written, or another process is writing it.
    """
    with _sole(path) as partial:
        _write(path, partial, format, drawn, count)


@contextlib.contextmanager
def _sole(path):
    """Locks a file and yields the temporary path to which it is written before it is renamed."""
    partial, lock = (path.with_name(f"{PARTIAL}{path.name}{end}") for end in ("", ".lock"))
    try:
        with sole_writer(lock):
            try:
                yield partial
            finally:
                _remove(lock)
    except InUse as holder:
        raise BulkError(f"`out`: {path} is being written by {holder}") from holder
    except OSError as error:
        raise BulkError(f"`out`: cannot write {path}: {error.strerror or error}") from error


def _write(path, partial, format, drawn, count):
    _remove(partial)  # left by a killed process
    try:
        with contextlib.closing(_ahead(drawn)) as blocks:
            WRITERS[format](partial, blocks, count)
        os.replace(partial, path)
    finally:
        _remove(partial)


def write_shards(
    folder: pathlib.Path,
    format: str,
    request: dict,
    shards: int,
    which: Iterable[int],
    draw: Callable[[range], Iterable[Block]],
) -> Iterator[tuple[pathlib.Path, int]]:
    """Writes the shards that do not exist yet.

    Args:
        folder: `pathlib.Path`. The folder of the shards, which is created if it does not exist.
        format: String. A key of `WRITERS`.
        request: Dict of plain values. The settings that determine the images; `count` is the number
            of images. It is stored in the folder, which then rejects shards of other requests.
        shards: Integer. Number of shards into which the images are divided.
        which: Iterable of integers. Numbers of the shards to write, from 0.
        draw: Function of a range of rows that returns an iterable of their `Block`s.

    Yields:
        `(path, count)` for each shard: its `pathlib.Path` and the number of images written, which
        is 0 if the shard existed.

    Raises:
        BulkError: If the folder holds samples of another request, or cannot be written.
    """
    _keep_request(folder, {**request, "format": format, "shards": shards})
    for index in which:
        name = f"samples-{index:05d}-of-{shards:05d}{SUFFIXES[format]}"
        rows = shard_rows(request["count"], index, shards)
        path, written = folder / name, 0
        if not path.exists():
            with _sole(path) as partial:
                if not path.exists():  # another process may have written it in the meantime
                    written = len(rows)
                    _write(path, partial, format, draw(rows), written)
        yield path, written


def _keep_request(folder, request):
    path, text = folder / REQUEST, json.dumps(request, indent=2) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_whole(path, text)
        before = json.loads(path.read_text())
        differ = [key for key in request if before.get(key) != request[key]]
    except OSError as error:
        raise BulkError(f"`out`: cannot write to {folder}: {error.strerror or error}") from error
    except (ValueError, AttributeError):
        differ = ["all"]
    if differ:
        raise BulkError(
            f"`out`: {folder} holds samples of another request (see {REQUEST} in it: "
            f"{', '.join(differ)}); choose another folder"
        )


def _remove(path):
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
