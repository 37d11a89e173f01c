"""Samples in any number: blocks of images, and files of them that are shards of one whole.

Image i depends on (its label, seed, i) alone, and so does the label. Images are computed in blocks
of `BLOCK` that begin at multiples of it, whatever rows are wanted, since the rounding of
convolutions may depend on what is computed at a time. So shards hold the rows of the whole, drawn
in any order, again, and on any machine of the same kind, bit for bit.
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

BLOCK = BATCH  # images computed at a time: a call of `sample`
REQUEST = "samples.json"  # in a folder of shards: what they are shards of


class BulkError(UserError):
    """Samples that cannot be drawn or written; the message says why."""


class Block(NamedTuple):
    """Images that follow one another."""

    first: int  # number of the first
    images: np.ndarray  # uint8 [N, H, W, C]
    labels: np.ndarray  # int64 [N]


def labels_in_turn(labels: Sequence[int]) -> Callable[[int], np.ndarray]:
    """Returns what gives the labels of a block by its number: `labels` in turn, again and again."""
    return lambda block: np.take(labels, np.arange(BLOCK) + block * BLOCK, mode="wrap")


def labels_as_frequent(counts: Sequence[int], seed: int) -> Callable[[int], np.ndarray]:
    """The same, of random labels that are as frequent as `counts` of the classes say."""
    shares = np.asarray(counts, np.float64) / np.sum(counts)

    def labels(block):
        # Philox (Salmon et al., 2011) is entered at the block: 2^64 numbers of its counter each.
        bits = np.random.Philox(key=seed, counter=block << 64)
        return np.random.Generator(bits).choice(len(shares), BLOCK, p=shares)

    return labels


class Blocks:
    """An iterable of `Block`s that draws them as they are asked for; its length is their number.

    Args:
        stack: What has the method `sample` of `StackedGAN`.
        labels: Gives the `BLOCK` labels of a block by its number.
        seed: As `sample` takes it.
        rows: Numbers of the images wanted, of step 1.
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
    """Returns the rows of shard `index` of so many; shards differ by one row at the most."""
    return range(count * index // shards, count * (index + 1) // shards)


# Files


def _ahead(drawn):
    """The same blocks; while one is written, the next is drawn in a thread."""
    blocks = iter(drawn)
    with ThreadPoolExecutor(1, "drawing") as thread:
        drawing = thread.submit(next, blocks, None)
        while (block := drawing.result()) is not None:
            drawing = thread.submit(next, blocks, None)
            yield block


def _write_png(path, drawn, count):
    """A folder of PNG files `<number>_<label>.png`."""
    path.mkdir()
    for block in drawn:
        for i, (content, label) in enumerate(zip(_encoded(block.images), block.labels)):
            # `pathlib` takes a third longer, and an image is a file.
            with open(f"{path}/{block.first + i:09d}_{label}.png", "wb", buffering=0) as file:
                file.write(content)


def _write_npz(path, drawn, count):
    """`images` uint8 [N, H, W, C] and `labels` int64 [N], never all in memory."""
    labels: list[np.ndarray] = []
    with zipfile.ZipFile(path, "w") as archive:
        # `ZipInfo` holds a fixed time, so that the same images are the same bytes.
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
    """Yields a serialized `tf.train.Example` per image: `image` (PNG), `label`, `number`."""
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
    """PNG files of images, all at once: one by one costs twice the time."""
    import tensorflow as tf

    return tf.io.encode_png(images).numpy()


WRITERS = {"png": _write_png, "npz": _write_npz, "tfrecord": _write_tfrecord}
SUFFIXES = {"png": "", "npz": ".npz", "tfrecord": ".tfrecord"}


def write_file(path: pathlib.Path, format: str, drawn: Iterable[Block], count: int) -> None:
    """Writes images to a file, or of `png` to a folder, whole or not at all.

    Args:
        path: In a folder that exists. A file there is replaced, a folder is not.
        format: A key of `WRITERS`.
        drawn: The images.
        count: Of the images.

    Raises:
        BulkError: when it cannot be written, or another process writes it.
    """
    with _sole(path) as partial:
        _write(path, partial, format, drawn, count)


@contextlib.contextmanager
def _sole(path):
    """Gives where to write a file before it takes its name, while no other process does."""
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
    _remove(partial)  # what a killed process left
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
    """Writes those shards of a whole that are not there.

    Args:
        folder: It is made where there is none.
        format: A key of `WRITERS`.
        request: What decides the images, plain values; `count` is their number. It is kept in the
            folder, which takes no shards of another.
        shards: In how many the whole is divided.
        which: Numbers of the shards wanted, from 0.
        draw: Function of a range of rows that gives their `Block`s.

    Returns:
        An iterator of `(path, images written)` for each shard; 0 of one that was there.

    Raises:
        BulkError: when the folder holds samples of another request, or cannot be written.
    """
    _keep_request(folder, {**request, "format": format, "shards": shards})
    for index in which:
        name = f"samples-{index:05d}-of-{shards:05d}{SUFFIXES[format]}"
        rows = shard_rows(request["count"], index, shards)
        path, written = folder / name, 0
        if not path.exists():
            with _sole(path) as partial:
                if not path.exists():  # another process may have been here in between
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
