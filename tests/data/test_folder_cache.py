"""Images of a folder that are kept decoded, and looked at anew when they have to be."""

import os

import numpy as np
import pytest
from picture_files import refused
from PIL import Image

from sgan_tf.data import decoding
from sgan_tf.data.datasets import load_dataset


@pytest.fixture
def decoded(monkeypatch):
    """What is decoded, a list of file names that grows."""
    names = []

    def recorded(path, *arguments):
        names.append(path.name)
        return read(path, *arguments)

    read = decoding._read
    monkeypatch.setattr(decoding, "_read", recorded)
    return names


def same(ours, theirs):
    arrays = ("train_images", "train_labels", "test_images", "test_labels")
    for name in arrays:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    return ours.description() == theirs.description()


def test_a_cache_gives_the_same_images_until_files_or_options_change(photos, tmp_path, decoded):
    cache = tmp_path / "run" / "cache"

    def load(side=8, **keywords):
        decoded.clear()
        data = load_dataset("folder", side, photos, cache_dir=cache, **keywords)
        count = len(decoded)
        assert same(data, load_dataset("folder", side, photos, **keywords))
        return data, count

    first, count = load()
    assert count == 8 and not cache.exists()  # reading writes nothing
    first.keep(cache)
    assert load()[1] == 0
    assert load(side=9)[1] == load(resize="pad")[1] == load(skip_unreadable=True)[1] == 8
    cat = photos / "cats" / "3.png"
    size, time = cat.stat().st_size, cat.stat().st_mtime_ns

    def rewrite_at_the_same_time():
        Image.new("L", (40, 40), 9).save(cat)
        os.utime(cat, ns=(time, time))

    changes = [
        rewrite_at_the_same_time,
        lambda: Image.new("L", (4, 4)).save(photos / "cats" / "new.png"),
        lambda: os.utime(photos / "cats" / "1.png", (1, 1)),
        lambda: (photos / "cats" / "2.png").rename(photos / "dogs" / "9.png"),
        lambda: (photos / "dogs" / "9.png").unlink(),
        lambda: (photos / "dogs").rename(photos / "birds"),
    ]
    for change in changes:
        change()
        data, count = load()
        assert count > 0
        data.keep(cache)
        assert load()[1] == 0
    assert cat.stat().st_size != size  # it was the size that told, not the time


def test_a_damaged_cache_is_read_anew_in_silence(photos, tmp_path, decoded, log):
    data = load_dataset("folder", 8, photos)
    data.keep(tmp_path)
    path = tmp_path / "images"
    whole = path.read_bytes()
    fewer = whole.replace(b"'shape': (8, ", b"'shape': (2, ")  # an array that would read well
    assert fewer != whole
    for content in (fewer, b"", whole[:100], whole[: len(whole) // 2], b"nonsense" * 1000):
        path.write_bytes(content)
        decoded.clear()
        log.clear()
        assert same(data, load_dataset("folder", 8, photos, cache_dir=tmp_path))
        assert len(decoded) == 8 and all(line.startswith(str(photos)) for line in log.messages)
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert same(data, load_dataset("folder", 8, photos, cache_dir=tmp_path)), place
    data.keep(tmp_path)
    assert path.read_bytes() == whole


def test_a_cache_says_what_is_unreadable_and_looks_whether_it_still_is(photos, tmp_path, decoded):
    cat = photos / "cats" / "1.png"
    whole, time = cat.read_bytes(), cat.stat().st_mtime_ns

    def write(content):
        cat.write_bytes(content)
        os.utime(cat, ns=(time, time))

    write(whole[:40] + bytes(len(whole) - 40))
    cache = tmp_path / "cache"
    load_dataset("folder", 8, photos, skip_unreadable=True).keep(cache)
    decoded.clear()
    data = load_dataset("folder", 8, photos, skip_unreadable=True, cache_dir=cache)
    assert len(data.train_images) + len(data.test_images) == 7 and decoded == ["1.png"]
    assert "1 unreadable image" in refused(photos, 8, cache_dir=cache)
    write(whole)  # as a file is that could not be opened before
    data = load_dataset("folder", 8, photos, skip_unreadable=True, cache_dir=cache)
    assert len(data.train_images) + len(data.test_images) == 8


def test_a_cache_that_cannot_be_written_is_a_line_in_the_log(photos, tmp_path, log):
    (tmp_path / "file").write_text("in the way")
    load_dataset("folder", 8, photos).keep(tmp_path / "file" / "cache")
    assert log.messages[-1] == f"{tmp_path}/file/cache: cannot keep the images: Not a directory"
    load_dataset("digits").keep(tmp_path / "digits")  # they need none
    assert not (tmp_path / "digits").exists()
