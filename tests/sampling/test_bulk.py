"""Samples in any number, of a stack that stands in for a trained one: its images tell their row."""

import json
import pathlib
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from sgan_tf.sampling import bulk

COUNT, SEED = 537, 7


class Stack:
    """Draws what depends on the row, the label and the seed, and on how many rows are computed."""

    def __init__(self):
        self.calls = []

    def sample(self, labels, seed, first):
        self.calls.append((first, len(labels)))
        rows = np.arange(first, first + len(labels))
        values = [rows % 256, rows // 256, labels, np.full(len(labels), seed + len(labels) % 3)]
        return np.stack(values, 1).reshape(-1, 2, 2, 1) / 255


def draw(rows, labels=None, stack=None):
    labels = labels or bulk.labels_in_turn(range(10))
    return bulk.Blocks(stack or Stack(), labels, SEED, rows)


def arrays(drawn):
    drawn = list(drawn)
    return [np.concatenate([getattr(b, name) for b in drawn]) for name in ("images", "labels")]


@pytest.fixture
def whole():
    return arrays(draw(range(COUNT)))


def test_labels_come_in_turn():
    labels = bulk.labels_in_turn([3, 9, 4])
    joined = np.concatenate([labels(0), labels(1), labels(2)])
    np.testing.assert_array_equal(joined, np.resize([3, 9, 4], 3 * bulk.BLOCK))


def test_random_labels_are_as_frequent_as_they_should_be_and_depend_on_the_seed():
    labels = bulk.labels_as_frequent([500, 300, 200], SEED)
    drawn = np.concatenate([labels(block) for block in range(200)])
    shares = np.bincount(drawn) / len(drawn)
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.015)  # 4 standard deviations
    np.testing.assert_array_equal(labels(70), bulk.labels_as_frequent([5, 3, 2], SEED)(70))
    assert (labels(70) != bulk.labels_as_frequent([5, 3, 2], SEED + 1)(70)).any()
    assert (labels(70) != labels(71)).any()


def test_rows_are_numbered_from_0(whole):
    images, labels = whole
    low, high = images[:, 0, 0, 0].astype(int), images[:, 0, 1, 0].astype(int)
    np.testing.assert_array_equal(low + 256 * high, np.arange(COUNT))
    np.testing.assert_array_equal(labels, np.arange(COUNT) % 10)


@pytest.mark.parametrize("shards", [1, 2, 3, 8, COUNT])
def test_shards_are_the_rows_of_the_whole(whole, shards):
    parts = [arrays(draw(bulk.shard_rows(COUNT, index, shards))) for index in range(shards)]
    for ours, theirs in zip(whole, zip(*parts)):
        np.testing.assert_array_equal(ours, np.concatenate(theirs))
    sizes = [len(labels) for _, labels in parts]
    assert max(sizes) - min(sizes) <= 1


def test_whatever_rows_are_wanted_the_same_blocks_are_computed():
    stack = Stack()
    list(draw(range(150, 310), stack=stack))
    assert stack.calls == [(100, 100), (200, 100), (300, 100)]
    assert len(draw(range(150, 310))) == 3


def read_png(path):
    files = sorted(path.iterdir())
    labels = [int(file.stem.split("_")[1]) for file in files]
    assert [int(file.stem.split("_")[0]) for file in files] == list(range(len(files)))
    return [tf.io.decode_png(file.read_bytes()).numpy() for file in files], labels


def read_npz(path):
    with np.load(path) as file:
        return file["images"], file["labels"]


def read_tfrecord(path):
    spec = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
        "number": tf.io.FixedLenFeature([], tf.int64),
    }
    rows = [tf.io.parse_single_example(x, spec) for x in tf.data.TFRecordDataset(str(path))]
    assert [int(row["number"]) for row in rows] == list(range(len(rows)))
    images = [tf.io.decode_png(row["image"]).numpy() for row in rows]
    return images, [int(row["label"]) for row in rows]


@pytest.mark.parametrize(
    ("format", "read"), [("png", read_png), ("npz", read_npz), ("tfrecord", read_tfrecord)]
)
def test_files_hold_the_images(tmp_path, format, read):
    images, labels = arrays(draw(range(130)))
    bulk.write_file(tmp_path / "file", format, draw(range(130)), 130)
    found, named = read(tmp_path / "file")
    np.testing.assert_array_equal(images, np.stack(found))
    np.testing.assert_array_equal(labels, named)


def shards(folder, which, **changes):
    request = {"count": COUNT, "seed": SEED, **changes}
    return dict(bulk.write_shards(folder, "npz", request, 4, which, draw))


def test_a_restart_writes_what_is_missing_and_a_stopped_shard_is_absent(tmp_path, whole):
    folder = tmp_path / "samples"
    shards(folder, [2])
    third = (folder / "samples-00002-of-00004.npz").read_bytes()

    def stopped(rows):
        yield next(iter(draw(rows)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(bulk.write_shards(folder, "npz", {"count": COUNT, "seed": SEED}, 4, [1], stopped))
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert names == {"samples.json", "samples-00002-of-00004.npz"}
    written = shards(folder, range(4))
    assert list(written.values()) == [134, 134, 0, 135]
    assert (folder / "samples-00002-of-00004.npz").read_bytes() == third
    parts = [read_npz(path) for path in written]
    np.testing.assert_array_equal(whole[0], np.concatenate([images for images, _ in parts]))


def test_a_folder_takes_no_shards_of_another_request(tmp_path):
    shards(tmp_path, [0])
    before = sorted(tmp_path.iterdir())
    with pytest.raises(bulk.BulkError, match="another request.*: seed"):
        shards(tmp_path, [1], seed=SEED + 1)
    (tmp_path / "samples.json").write_text(json.dumps([]))
    with pytest.raises(bulk.BulkError, match="another request"):
        shards(tmp_path, [1])
    assert sorted(tmp_path.iterdir()) == before


def test_two_processes_write_a_shard_once(tmp_path):
    """The other one looks for a shard, waits, and finds it written when its turn comes."""
    request, drawn = {"count": COUNT, "seed": SEED}, []

    def counted(rows):
        drawn.append(rows)
        return draw(rows)

    def late(rows):
        raise AssertionError("a shard that is there was drawn again")

    path = tmp_path / "samples-00000-of-00001"
    other = bulk.write_shards(tmp_path, "png", request, 1, [0], late)
    exists, looks = pathlib.Path.exists, []

    def looked(self):
        there = exists(self)
        if self == path and not looks:  # between the first look and the lock
            looks.append(self)
            dict(bulk.write_shards(tmp_path, "png", request, 1, [0], counted))
        return there

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pathlib.Path, "exists", looked)
        assert dict(other) == {path: 0}
    assert len(drawn) == 1 and len(list(path.iterdir())) == COUNT


def test_a_shard_that_another_process_writes_is_left_to_it(tmp_path):
    def meanwhile(rows):
        with pytest.raises(bulk.BulkError, match="is being written by process"):
            shards(tmp_path, [1])
        yield from draw(rows)

    request = {"count": COUNT, "seed": SEED}
    (written,) = dict(bulk.write_shards(tmp_path, "npz", request, 4, [1], meanwhile)).values()
    assert written == 134


def test_a_block_is_drawn_while_the_one_before_is_written(monkeypatch, tmp_path):
    """And not more than that: what is in memory is bounded."""
    events = []

    def noted(rows):
        for number, block in enumerate(draw(rows)):
            events.append(f"drawn {number}")
            yield block

    def write(path, blocks, count):
        for number, _ in enumerate(blocks):
            deadline = time.monotonic() + 60
            while number < 5 and f"drawn {number + 1}" not in events:
                assert time.monotonic() < deadline
            time.sleep(0.02)  # enough to draw another
            events.append(f"written {number}")
        path.write_bytes(b"")

    monkeypatch.setitem(bulk.WRITERS, "npz", write)
    bulk.write_file(tmp_path / "file", "npz", noted(range(COUNT)), COUNT)
    pairs = [(f"drawn {number + 1}", f"written {number}") for number in range(5)]
    assert events == ["drawn 0", *sum(pairs, ()), "written 5"]


def test_what_fails_in_drawing_or_in_writing_ends_both(monkeypatch, tmp_path):
    def failing(rows):
        yield next(iter(draw(rows)))
        raise MemoryError

    def full(path, blocks, count):
        path.write_bytes(next(blocks).images)
        raise OSError(28, "No space left on device")

    with pytest.raises(MemoryError):
        bulk.write_file(tmp_path / "file", "tfrecord", failing(range(COUNT)), COUNT)
    monkeypatch.setitem(bulk.WRITERS, "npz", full)
    with pytest.raises(bulk.BulkError, match="cannot write .*No space left"):
        bulk.write_file(tmp_path / "file", "npz", draw(range(COUNT)), COUNT)
    assert not list(tmp_path.iterdir())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("drawing")]
