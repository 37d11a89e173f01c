"""A user's own folder of images: what is in it, what is not, and a split that holds."""

import io
import pathlib
import warnings

import numpy as np
import pytest
from picture_files import fill, refused, wide
from PIL import Image
from processes import TRAIN, run
from processes import refused as refused_by

from sgan_tf.data import decoding
from sgan_tf.data.datasets import load_dataset
from sgan_tf.data.folder import holds_classes, read_folder
from sgan_tf.errors import DataError


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
        f"{photos}: 9 images in 3 classes (cats, dogs, owl), "
        f"{folder.in_test.sum()} of them for testing" in log.messages
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
