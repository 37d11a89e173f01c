"""A user's own folder of images: every kind of file, every shape, and a split that holds."""

import io
import logging
import os
import pathlib
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms
from processes import TRAIN, run
from processes import refused as refused_by

from sgan_tf import decoding
from sgan_tf.datasets import load_dataset
from sgan_tf.errors import DataError
from sgan_tf.folders import holds_classes, read_folder

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def log(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("sgan_tf"), "propagate", True)
    caplog.set_level(logging.INFO, "sgan_tf")
    return caplog


def fill(folder, count, mode="L"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new(mode, (4, 4), number % 200).save(folder / f"{number}.png")


@pytest.fixture
def photos(tmp_path):
    fill(tmp_path / "photos" / "cats", 4)
    fill(tmp_path / "photos" / "dogs", 4)
    return tmp_path / "photos"


def read_one(tmp_path, write, name="x.png", side=4, **reading):
    """Returns the image `[side, side, C]` that is read from the file that `write(path)` writes."""
    fill(tmp_path / "others", 2)
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / name)
    folder = read_folder(tmp_path, side, **reading)
    (image,) = folder.images[folder.labels == folder.class_names.index("a")]
    return image


def refused(*arguments, **keywords):
    with pytest.raises(DataError) as error:
        read_folder(*arguments, **keywords)
    message = str(error.value)
    assert "\n" not in message and "Traceback" not in message
    return message


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_sixteen_bits_of_grey_scale_by_their_full_range(tmp_path, mode):
    values = np.array([[0, 257 * 60], [32768, 65535]]).astype(np.uint16 if mode != "I" else "i4")
    name = "x.png" if mode == "I;16" else "x.tif"
    image = read_one(tmp_path, lambda path: Image.fromarray(values).save(path), name, side=2)
    np.testing.assert_array_equal(image[..., 0], [[0, 60], [128, 255]])
    assert image.shape == (2, 2, 1)


def test_what_no_range_is_known_of_is_refused(photos):
    Image.fromarray(np.full((4, 4), 70000, np.int32)).save(photos / "cats" / "deep.tif")
    Image.fromarray(np.zeros((4, 4), np.float32)).save(photos / "cats" / "float.tif")
    message = refused(photos, 4)
    assert "2 unreadable images" in message
    assert "deep.tif (pixels outside of 0 to 65535)" in message and "float.tif (floating" in message


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path, ending, orientation):
    upright = np.zeros((32, 32), np.uint8)
    upright[:16, :16], upright[:16, 16:] = 240, 120
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation

    def write(path):
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)

    image = read_one(tmp_path, write, f"x.{ending}", side=2)
    np.testing.assert_allclose(image[..., 0], [[240, 120], [0, 0]], atol=50)  # Lanczos spreads


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("exif", [b"no TIFF", b"II*\0\x08\0\0\0\x09\0\x12\x01"])
def test_damaged_exif_makes_no_image_unreadable_and_no_noise(tmp_path, exif, ending, recwarn):
    def write(path):
        Image.new("RGB", (8, 8), RED).save(path, exif=b"Exif\0\0" + exif)

    image = read_one(tmp_path, write, f"x.{ending}")
    assert image[0, 0, 0] > 240 and not recwarn.list


def test_white_shows_where_an_image_is_transparent(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:, :2] = (255, 0, 0, 255)
    pixels[:, 2:3, 3] = 127
    image = read_one(tmp_path, lambda path: Image.fromarray(pixels).save(path))
    np.testing.assert_allclose(image[0], [RED, RED, [128] * 3, [255] * 3], atol=1)


def test_white_shows_through_palettes_and_grey(tmp_path):
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, *BLUE])
    palette.paste(0, (0, 0, 2, 4))
    image = read_one(tmp_path / "p", lambda path: palette.save(path, transparency=0))
    np.testing.assert_array_equal(image[0], [[255] * 3, [255] * 3, BLUE, BLUE])
    grey = Image.new("LA", (4, 4), (90, 255))
    grey.paste((0, 0), (0, 0, 2, 4))
    image = read_one(tmp_path / "la", grey.save)
    np.testing.assert_array_equal(image[0], [[255], [255], [90], [90]])
    deep = Image.fromarray(np.array([[0, 0, 257, 257]] * 4, np.uint16))
    image = read_one(tmp_path / "deep", lambda path: deep.save(path, transparency=0))
    np.testing.assert_array_equal(image[0], [[255], [255], [1], [1]])


def test_other_colour_spaces_become_rgb(tmp_path):
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    image = read_one(tmp_path / "cmyk", lambda path: cmyk.save(path, quality=95), "x.jpg")
    np.testing.assert_allclose(image[0, 0], RED, atol=6)
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(Image.new("RGB", (4, 4), RED), to_lab)
    np.testing.assert_allclose(read_one(tmp_path / "lab", lab.save, "x.tif")[0, 0], RED, atol=6)


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_of_an_animation_the_first_frame_is_read(tmp_path, ending):
    first, second = (Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE))

    def write(path):
        first.save(path, save_all=True, append_images=[second], lossless=True)

    np.testing.assert_array_equal(read_one(tmp_path, write, f"x.{ending}")[1, 1], RED)


def wide(path):
    """Red, green, green, blue from left to right."""
    columns = [RED, (0, 255, 0), (0, 255, 0), BLUE]
    Image.fromarray(np.array([columns] * 2, np.uint8).repeat(8, 0).repeat(8, 1)).save(path)


def test_images_get_the_channels_that_networks_take():
    colour = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3), np.uint8)
    grey = decoding.with_channels(colour, 1)
    np.testing.assert_allclose(grey[..., 0], colour @ [0.299, 0.587, 0.114], atol=1)
    assert grey.dtype == np.uint8 and decoding.with_channels(grey, 1) is grey
    np.testing.assert_array_equal(decoding.with_channels(grey, 3), np.repeat(grey, 3, axis=-1))


def test_what_is_not_square_is_cropped_padded_or_squashed(tmp_path):
    green, white = (0, 255, 0), (255, 255, 255)
    crop = read_one(tmp_path / "crop", wide, side=16)
    assert tuple(crop[8, 1]) == tuple(crop[8, -2]) == green
    pad = read_one(tmp_path / "pad", wide, side=32, resize="pad")
    assert tuple(pad[2, 16]) == tuple(pad[-3, 16]) == white and tuple(pad[16, 1]) == RED
    squash = read_one(tmp_path / "squash", wide, side=32, resize="squash")
    assert tuple(squash[0, 1]) == RED and tuple(squash[-1, -2]) == BLUE
    assert (
        refused(tmp_path, 4, resize="stretch") == "`resize`: 'stretch' is none of crop, pad, squash"
    )


def test_a_line_one_pixel_wide_can_be_padded(tmp_path):
    image = read_one(tmp_path, Image.new("L", (1, 1000)).save, side=8, resize="pad")
    assert image[:, 0].min() == 255 and image.min() == 0


def test_load_dataset_hands_on_how_to_read(photos):
    wide(photos / "cats" / "wide.png")
    (photos / "cats" / "broken.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"broken\.png"):
        load_dataset("folder", 32, photos)
    padded, cropped = (
        load_dataset("folder", 32, photos, resize=resize, skip_unreadable=True)
        for resize in ("pad", "crop")
    )
    assert padded.description()["crc32"] != cropped.description()["crc32"]


def test_what_is_no_image_is_skipped_and_named_in_one_line(photos, log):
    (photos / "cats" / "._0.png").write_bytes(b"\0\5\x16\7")
    (photos / "cats" / "gone.png").symlink_to(photos / "nowhere.png")
    (photos / "dogs" / ".cache").mkdir()
    for name in ("notes.txt", "drawing.eps", "paper.pdf"):
        (photos / "dogs" / name).write_text("x")
    (photos / "stray.png").write_bytes(b"x")
    assert len(read_folder(photos, 4).images) == 8
    (line,) = [line for line in log.messages if "skipped" in line]
    assert "skipped 7 " in line
    for name in ("cats/._0.png", "cats/gone.png", "dogs/.cache", "dogs/paper.pdf", "stray.png"):
        assert name in line
    assert "cats/0.png" not in line


def test_images_in_sub_folders_count_for_the_class(photos):
    fill(photos / "cats" / "2025" / "may", 3)
    (photos / "cats" / "2025" / "up").symlink_to(photos / "cats", target_is_directory=True)
    folder = read_folder(photos, 4)
    assert folder.class_names == ["cats", "dogs"]
    np.testing.assert_array_equal(np.bincount(folder.labels), [7, 4])


def test_a_huge_jpeg_is_read_and_another_huge_image_is_named(photos):
    huge = Image.new("L", (14000, 14000), 77)
    huge.save(photos / "cats" / "huge.jpg", quality=50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        means = read_folder(photos, 4).images.mean((1, 2, 3))
        assert (abs(means - 77) < 5).sum() == 1
        huge.save(photos / "cats" / "huge.png", compress_level=1)
        message = refused(photos, 4)
    assert "1 unreadable image: " in message and "14000 x 14000 pixels, over 100,000,000" in message
    assert "omb" not in message and Image.MAX_IMAGE_PIXELS  # Pillow's limit is as it was


def test_a_progressive_jpeg_counts_whole(photos, monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 64 * 64 - 1)
    picture = Image.new("L", (64, 64))
    picture.save(photos / "cats" / "small.jpg")
    assert len(read_folder(photos, 4).images) == 9
    picture.save(photos / "cats" / "small.jpg", progressive=True)
    assert "64 x 64 pixels" in refused(photos, 4)


def broken_png():
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "png")
    return buffer.getvalue()[:2000]


def test_all_unreadable_images_are_named_at_once(photos, log):
    (photos / "dogs" / "a\nb.png").write_bytes(b"")
    (photos / "cats" / "cut.png").write_bytes(broken_png())
    message = refused(photos, 4)
    assert "2 unreadable images" in message and "`skip_unreadable`" in message
    assert str(photos / "cats" / "cut.png") in message and "a?b.png" in message
    for number in range(23):
        (photos / "cats" / f"x{number:02d}.png").write_bytes(b"no image")
    message = refused(photos, 4)
    assert message.count(".png") == 20 and "and 5 more" in message
    assert len(read_folder(photos, 4, skip_unreadable=True).images) == 8
    (line,) = [line for line in log.messages if "unreadable images:" in line]
    assert "skipped 25 unreadable images" in line and "cut.png" in line


def test_a_class_of_unreadable_images_alone_is_refused(photos):
    (photos / "owls").mkdir()
    (photos / "owls" / "0.png").write_bytes(b"")
    message = refused(photos, 4, skip_unreadable=True)
    assert "owls holds no image that can be read" in message


def test_every_class_of_two_images_is_in_both_splits(tmp_path):
    for number in range(40):
        fill(tmp_path / f"class{number}", 2 + number % 5)
    folder = read_folder(tmp_path, 4)
    for label in range(40):
        of_class = folder.in_test[folder.labels == label]
        assert of_class.any() and not of_class.all()


def test_a_tenth_of_a_large_class_is_for_testing(tmp_path):
    fill(tmp_path / "a", 400)
    fill(tmp_path / "b", 400)
    assert 50 < read_folder(tmp_path, 4).in_test.sum() < 110


def test_files_keep_their_split_when_others_are_added(tmp_path):
    """But for the one that a small class lends to the test split."""
    for name in ("a", "b"):
        fill(tmp_path / name, 100)
    before = read_folder(tmp_path, 4)
    for name in ("a", "b"):
        fill(tmp_path / name / "more", 50)
    after = read_folder(tmp_path, 4)
    for label in range(2):
        first = before.in_test[before.labels == label]
        both = after.in_test[after.labels == label]
        np.testing.assert_array_equal(first, both[:100])  # "more" comes after all digits


def test_the_log_counts_and_names_a_class_of_one(photos, log):
    fill(photos / "owl", 1)
    folder = read_folder(photos, 4)
    assert not folder.in_test[folder.labels == 2].any()
    assert (
        f"{photos}: 9 images in 3 classes, {folder.in_test.sum()} of them for testing"
        in log.messages
    )
    assert any("class owl has one image" in line for line in log.messages)


def test_classes_of_one_image_cannot_be_split(tmp_path):
    fill(tmp_path / "a", 1)
    fill(tmp_path / "b", 1)
    assert "too few images (2)" in refused(tmp_path, 4)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_bar_shows_on_a_terminal_alone(photos, monkeypatch, terminal):
    screen = io.StringIO()
    screen.isatty = lambda: terminal
    monkeypatch.setattr("sys.stderr", screen)
    read_folder(photos, 4)
    assert ("images" in screen.getvalue()) == terminal


def test_images_come_in_the_order_of_their_names_from_any_number_of_threads(photos, monkeypatch):
    many = read_folder(photos, 4)
    monkeypatch.setattr(decoding, "THREADS", 1)
    one = read_folder(photos, 4)
    np.testing.assert_array_equal(many.images, one.images)
    np.testing.assert_array_equal(many.images[:4, 0, 0, 0], range(4))


def test_more_images_than_fit_into_memory_are_a_line(photos):
    assert "`image_size`: 8 images of 10000000 x 10000000" in refused(photos, 10_000_000)


# The cache


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


def test_a_description_says_how_a_folder_was_read_and_knows_its_images(photos):
    wide(photos / "cats" / "wide.png")
    data = load_dataset("folder", 8, photos, resize="pad")
    assert data.description()["reading"] == {"resize": "pad", "skip_unreadable": False}
    # Where nothing is unreadable, one option or the other reads the same images.
    other = load_dataset("folder", 8, photos, resize="pad", skip_unreadable=True)
    assert data.matches(other.description()) and data.description() != other.description()
    assert not data.matches(load_dataset("folder", 8, photos).description())
    assert "reading" not in load_dataset("digits").description()
    for damaged in ([], None, {}, "x"):
        assert not data.matches(damaged)


def test_a_folder_of_classes_is_told_from_others(photos):
    assert holds_classes(photos) and holds_classes(str(photos))
    assert not holds_classes(photos / "cats")
    assert not holds_classes(photos / "absent") and not holds_classes(pathlib.Path("/dev/null"))


def test_a_folder_given_without_its_data_set_is_refused(photos):
    line = refused_by(TRAIN, ["--data_dir", photos])
    assert line == (
        f"error: --data_dir: {photos} holds folders of images, and data set digits reads none; "
        "add --dataset folder\n"
    )


def test_flags_say_how_a_folder_is_read(photos, tmp_path):
    (photos / "cats" / "broken.png").write_bytes(b"")
    (photos / "cats" / "notes.txt").write_text("x")
    wide(photos / "dogs" / "wide.png")
    arguments = ["--dataset", "folder", "--data_dir", photos, "--image_size", "8"]
    arguments += ["--preset", "digits", "--run_dir", tmp_path / "run"]
    assert "--resize" in refused_by(TRAIN, [*arguments, "--resize", "stretch"])
    assert "`" not in (line := refused_by(TRAIN, arguments)) and "--skip_unreadable" in line
    # One thing more that cannot be, so that nothing is trained: a batch of more than 6 images.
    arguments += ["--skip_unreadable", "--resize", "pad"]
    out, err = run(TRAIN, arguments, code=2)
    assert "batch_size" in err and len(err.splitlines()) == 1
    assert "broken.png" in out and "notes.txt" in out and "9 images in 2 classes" in out
    out, _ = run(TRAIN, [*arguments, "--set", "batch_size=2", "--dry_run"])
    assert out.startswith("{")  # and no line of the log


def test_images_without_classes(photos, tmp_path, log):
    flat = tmp_path / "flat"
    fill(flat / "deep" / "er", 12)
    assert "or train without, by `labels` none" in refused(flat, 4)
    folder = read_folder(flat, 4, classes=False)
    assert folder.class_names == ["image"] and len(folder.images) == 12
    assert 0 < folder.in_test.sum() < 12 and not folder.labels.any()
    assert read_folder(photos, 4, classes=False).class_names == ["cats", "dogs"]
    Image.new("L", (4, 4), 5).save(photos / "loose.png")
    assert len(read_folder(photos, 4, classes=False).images) == 9  # and none is left out
    assert len(read_folder(photos, 4).images) == 8
    (tmp_path / "empty").mkdir()
    assert "empty holds no image" in refused(tmp_path / "empty", 4, classes=False)
    (flat / "deep" / "er" / "bad.png").write_bytes(b"bad")
    read_folder(flat, 4, skip_unreadable=True, classes=False)
    assert "bad.png" in log.text
