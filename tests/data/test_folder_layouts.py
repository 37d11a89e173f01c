"""Folders as people have them: splits, what other programs leave behind, symbolic links."""

import numpy as np
import pytest
from picture_files import fill, refused
from PIL import Image

from sgan_tf.data.folder import SYSTEM_FOLDERS, TEST_SPLITS, holds_classes, read_folder


def split_photos(root, test="test", train="train"):
    """Four cats and three dogs for training, two of each for testing."""
    for split, name, count in (
        (train, "cats", 4),
        (train, "dogs", 3),
        (test, "cats", 2),
        (test, "dogs", 2),
    ):
        fill(root / split / name, count)
    return root


@pytest.mark.parametrize("test", [*TEST_SPLITS, "Test"])
def test_a_folder_that_is_split_keeps_its_split(tmp_path, log, test):
    folder = read_folder(split_photos(tmp_path, test), 4)
    assert folder.class_names == ["cats", "dogs"]
    np.testing.assert_array_equal(np.bincount(folder.labels[~folder.in_test]), [4, 3])
    np.testing.assert_array_equal(np.bincount(folder.labels[folder.in_test]), [2, 2])
    assert "11 images in 2 classes (cats, dogs), 4 of them for testing, as its" in log.text
    assert holds_classes(tmp_path)


def test_of_two_test_splits_one_is_used_and_the_other_named(tmp_path, log):
    fill(split_photos(tmp_path) / "val" / "cats", 5)
    assert len(read_folder(tmp_path, 4).images) == 11
    (line,) = [line for line in log.messages if "skipped" in line]
    assert line.endswith(": val")


def test_splits_beside_classes_are_refused(tmp_path):
    fill(split_photos(tmp_path) / "owls", 3)
    message = refused(tmp_path, 4)
    assert "has the splits test, train, and beside them owls; expected either one sub-d" in message


def test_a_class_that_is_not_trained_cannot_be_tested(tmp_path):
    fill(split_photos(tmp_path) / "test" / "owls", 3)
    assert message_has(refused(tmp_path, 4), "test has classes that", "train lacks: owls")


def test_a_class_that_is_called_train_is_a_class(tmp_path):
    for name in ("plane", "train"):
        fill(tmp_path / name, 3)
    assert read_folder(tmp_path, 4).class_names == ["plane", "train"]


def test_a_split_without_classes(tmp_path):
    fill(tmp_path / "train", 5)
    fill(tmp_path / "test", 2)
    assert message_has(refused(tmp_path, 4), "needed", "`labels` none")
    fill(tmp_path / "val", 4)  # not used, as with classes
    folder = read_folder(tmp_path, 4, classes=False)
    assert folder.class_names == ["image"]
    assert (folder.in_test.sum(), len(folder.images)) == (2, 7)


@pytest.mark.parametrize("name", sorted({*SYSTEM_FOLDERS, "@eaDir", "System Volume Information"}))
@pytest.mark.parametrize("place", [".", "cats"])
def test_what_other_programs_leave_is_passed_over_and_listed(photos, log, name, place):
    thumbnails = photos / place / name
    thumbnails.mkdir()
    folder = read_folder(photos, 4)
    fill(thumbnails / "0.png", 3)
    again = read_folder(photos, 4)
    for read in (folder, again):
        assert read.class_names == ["cats", "dogs"] and len(read.images) == 8
    lines = [line for line in log.messages if "skipped" in line]
    assert len(lines) == 2 and all(name in line for line in lines)


def test_a_link_that_leads_up_brings_in_no_other_class(photos, log):
    (photos / "cats" / "up").symlink_to("..", target_is_directory=True)
    (photos / "dogs" / "far_up").symlink_to(photos.parent, target_is_directory=True)
    Image.new("L", (4, 4), 9).save(photos / "stray.png")
    np.testing.assert_array_equal(np.bincount(read_folder(photos, 4).labels), [4, 4])
    assert "cats/up" in log.text and "dogs/far_up" in log.text


def test_a_link_into_another_class_is_not_followed(photos):
    fill(photos / "dogs" / "small", 2)
    (photos / "cats" / "small").symlink_to(photos / "dogs" / "small", target_is_directory=True)
    (photos / "cats" / "dog.png").symlink_to(photos / "dogs" / "0.png")
    np.testing.assert_array_equal(np.bincount(read_folder(photos, 4).labels), [4, 6])


def test_links_to_elsewhere_are_followed_and_no_file_is_read_twice(photos, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    fill(elsewhere, 3)
    for name in ("a", "b"):
        (photos / "cats" / name).symlink_to(elsewhere, target_is_directory=True)
    (photos / "cats" / "00.png").symlink_to(photos / "cats" / "0.png")
    np.testing.assert_array_equal(np.bincount(read_folder(photos, 4).labels), [7, 4])


def test_classes_may_be_links_themselves(tmp_path):
    for name in ("cats", "dogs"):
        fill(tmp_path / "store" / name, 3)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cats").symlink_to(tmp_path / "store" / "cats", target_is_directory=True)
    (photos / "dogs").symlink_to(tmp_path / "store" / "dogs", target_is_directory=True)
    np.testing.assert_array_equal(np.bincount(read_folder(photos, 4).labels), [3, 3])


def test_the_log_names_ten_classes_at_most(tmp_path, log):
    for number in range(12):
        fill(tmp_path / f"class{number:02d}", 2)
    read_folder(tmp_path, 4)
    assert "in 12 classes (class00, " in log.text and "class09 and 2 more)" in log.text


def message_has(message, *parts):
    return all(part in message for part in parts)
