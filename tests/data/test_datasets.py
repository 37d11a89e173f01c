import os
import socket

import numpy as np
import pytest
from PIL import Image

from sgan_tf.data.batches import Share, batches, epoch_order
from sgan_tf.data.datasets import DATASETS, info, load_dataset
from sgan_tf.errors import DataError


def test_digits_are_real_and_split():
    digits = load_dataset("digits")
    assert digits.image_shape == (8, 8, 1) and digits.train_images.dtype == np.uint8
    assert len(digits.train_images) + len(digits.test_images) == 1797
    assert set(digits.train_labels) == set(digits.test_labels) == set(range(10))
    assert load_dataset("digits", image_size=12).image_shape == (12, 12, 1)


def test_only_of_own_images_a_run_says_whether_mirror_images_are_real():
    said = {name: (info(name).mirrors(False), info(name).mirrors(True)) for name in DATASETS}
    never, by_run = (False, False), (False, True)
    assert said.pop("cifar10") == (True, True) and said.pop("folder") == by_run
    assert set(said.values()) == {never} and info("mine").mirrors(True)


def test_epoch_order_is_a_pure_function_of_seed_and_epoch():
    order = epoch_order(50, 3, 4).numpy()
    assert sorted(order) == list(range(50))
    np.testing.assert_array_equal(order, epoch_order(50, 3, 4))
    assert (order != epoch_order(50, 3, 5).numpy()).any() and (
        order != epoch_order(50, 4, 4).numpy()
    ).any()


@pytest.mark.parametrize("flip", [False, True])
def test_batches_from_any_step_on_are_those_of_an_uninterrupted_run(flip):
    images = np.random.default_rng(0).integers(0, 256, (23, 4, 4, 1), dtype=np.uint8)
    labels = np.arange(23, dtype=np.int32)
    whole = list(batches([images, labels], 5, seed=1, flip=flip).take(11).as_numpy_iterator())
    for start in (0, 3, 4, 9):
        for expected, got in zip(
            whole[start:],
            batches([images, labels], 5, seed=1, start_step=start, flip=flip).as_numpy_iterator(),
        ):
            np.testing.assert_array_equal(expected[0], got[0])
            np.testing.assert_array_equal(expected[1], got[1])
    for step, (batch, chosen) in enumerate(whole):
        order = epoch_order(23, 1, step // 4).numpy()[step % 4 * 5 :][:5]
        np.testing.assert_array_equal(chosen, order)
        original = images[chosen].astype(np.float32) / 255
        same = [
            np.allclose(a, b, atol=1e-6) or (flip and np.allclose(a, b[:, ::-1], atol=1e-6))
            for a, b in zip(batch, original)
        ]
        assert all(same)
    if flip:
        flipped = [
            not np.allclose(a, images[i] / 255)
            for batch, chosen in whole
            for a, i in zip(batch, chosen)
        ]
        assert 0.25 < np.mean(flipped) < 0.75


def test_half_of_the_rows_come_out_of_the_mirrored_arrays():
    numbers = np.arange(40, dtype=np.float32)
    data = batches([numbers, numbers], 10, seed=1, mirrored=[-1 - numbers, -1 - numbers])
    epochs = []
    for epoch in range(2):
        rows = [batch for batch, _ in data.skip(4 * epoch).take(4).as_numpy_iterator()]
        taken = np.concatenate(rows)
        assert sorted(np.where(taken < 0, -1 - taken, taken)) == numbers.tolist()
        assert 8 < (taken < 0).sum() < 32
        epochs.append(set(taken))
    assert epochs[0] != epochs[1]
    again = batches([numbers], 10, seed=1, start_step=4, mirrored=[-1 - numbers])
    np.testing.assert_array_equal(next(again.as_numpy_iterator())[0], rows[0])
    for a, b in data.take(8).as_numpy_iterator():  # a row's arrays come from one side
        np.testing.assert_array_equal(a, b)


def test_a_shifted_batch_moves_alike_and_black_comes_in():
    images = np.random.default_rng(0).integers(1, 256, (20, 6, 5, 1), dtype=np.uint8)

    def moved(array, down, right):
        framed = np.pad(array, [[0, 0], [2, 2], [2, 2], [0, 0]])
        return framed[:, 2 - down : 8 - down, 2 - right : 7 - right]

    whole = [
        batch for (batch,) in batches([images], 10, seed=1, shift=2).take(40).as_numpy_iterator()
    ]
    seen = set()
    for step, batch in enumerate(whole):
        original = (
            images[epoch_order(20, 1, step // 2).numpy()[step % 2 * 10 :][:10]].astype(np.float32)
            / 255
        )
        fits = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if np.allclose(batch, moved(original, down, right))
        ]
        assert len(fits) == 1
        seen.update(fits)
    assert len(seen) > 12
    for expected, (got,) in zip(
        whole[7:], batches([images], 10, seed=1, start_step=7, shift=2).as_numpy_iterator()
    ):
        np.testing.assert_array_equal(expected, got)


def test_arrays_are_neither_copied_nor_made_constants():
    images = np.zeros((20, 4, 4, 1), np.uint8)
    data = batches([images], 10, seed=1)
    images[:] = 51  # what is read later is what is there then
    np.testing.assert_allclose(next(data.as_numpy_iterator())[0], 0.2)


@pytest.mark.parametrize("total", [2, 5])
def test_the_shares_of_replicas_are_the_rows_of_the_whole(total):
    arrays = [np.arange(40).reshape(40, 1), np.arange(40)]
    whole = list(batches(arrays, 10, seed=1).take(6).as_numpy_iterator())
    for first, count in ((0, 1), (total - 2, 2)):
        share = Share(first, count, total)
        parts = list(batches(arrays, 10, seed=1, share=share).take(6 * count).as_numpy_iterator())
        for step, (rows, labels) in enumerate(whole):
            mine = slice(first * 10 // total, (first + count) * 10 // total)
            got = parts[step * count : (step + 1) * count]
            np.testing.assert_array_equal(np.concatenate([p[0] for p in got]), rows[mine])
            np.testing.assert_array_equal(np.concatenate([p[1] for p in got]), labels[mine])


def test_fewer_images_than_a_batch():
    with pytest.raises(DataError, match="`set` batch_size=2"):
        batches([np.zeros((3, 2))], 5, seed=0)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for label, (name, extension) in enumerate([("cats", "png"), ("dogs", "jpg"), ("owls", "bmp")]):
        (tmp_path / name).mkdir()
        for i in range(30):
            pixels = rng.integers(0, 80, (20 + i % 5, 24, 3), dtype=np.uint8) + 80 * label
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / f"{i}.{extension}")
    return tmp_path


def test_folder(folder):
    data = load_dataset("folder", 16, folder)
    assert data.class_names == ["cats", "dogs", "owls"] and data.image_shape == (16, 16, 3)
    assert len(data.train_images) + len(data.test_images) == 90 and len(data.test_images) > 0
    for label in range(3):
        assert data.train_images[data.train_labels == label].mean() == pytest.approx(
            40 + 80 * label, abs=6
        )


def test_a_file_keeps_its_split_when_others_come(folder):
    before = load_dataset("folder", 8, folder)
    Image.new("RGB", (9, 9)).save(folder / "cats" / "new.png")
    after = load_dataset("folder", 8, folder)
    assert abs(len(after.test_images) - len(before.test_images)) <= 1
    kept = {image.tobytes() for image in after.test_images}
    assert all(image.tobytes() in kept for image in before.test_images)


def test_grey_images_have_one_channel(folder):
    for path in folder.rglob("*.*"):
        Image.open(path).convert("L").save(path)
    assert load_dataset("folder", 16, folder).image_shape == (16, 16, 1)


def refuse(message, *arguments, **keywords):
    with pytest.raises(DataError) as error:
        load_dataset(*arguments, **keywords)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_bad_folders(folder, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    refuse("0 sub-directories", "folder", 16, empty)
    (empty / "only").mkdir()
    refuse("1 sub-directories", "folder", 16, empty)
    (empty / "other").mkdir()
    refuse("holds no image", "folder", 16, empty)
    refuse("is not a directory", "folder", 16, empty / "absent")
    refuse("needs `data_dir`", "folder", 16)
    broken = folder / "dogs" / "7.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    refuse(str(broken), "folder", 16, folder)


def test_data_that_is_not_prepared_is_refused_without_asking_the_network(tmp_path, monkeypatch):
    """Where there is none, asking takes TFDS minutes."""
    asked = []
    monkeypatch.setattr(socket.socket, "connect", lambda *a: asked.append(a))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: asked.append(a) or [])
    refuse(f"svhn_cropped is not prepared in {tmp_path}", "svhn", data_dir=str(tmp_path))
    assert not asked


def test_mnist():
    import tensorflow_datasets as tfds

    directory = os.path.expanduser(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets"))
    if not tfds.builder("mnist", data_dir=directory, try_gcs=False).is_prepared():
        pytest.skip(f"MNIST is not prepared in {directory}")
    mnist = load_dataset("mnist")
    assert mnist.train_images.shape == (60000, 28, 28, 1) and mnist.test_images.shape == (
        10000,
        28,
        28,
        1,
    )
    assert mnist.class_names == [str(d) for d in range(10)]


def test_arguments_that_cannot_be():
    for arguments, message in (
        ({"name": "minst"}, "`dataset`: unknown data set 'minst'; choose from digits, mnist"),
        ({"name": ["mnist"]}, r"`dataset`: unknown data set '\['mnist'\]'"),
        ({"name": "digits", "image_size": -1}, "`image_size`: -1 is not a number of pixels"),
        ({"name": "digits", "image_size": 0}, "`image_size`: 0 is not a number of pixels"),
        ({"name": "digits", "image_size": "16"}, "`image_size`: '16' is not a number of pixels"),
    ):
        with pytest.raises(DataError, match=message):
            load_dataset(**arguments)


def test_labels_that_are_not_used_are_kept_beside(folder):
    given, none = (load_dataset("folder", 8, folder, labels=labels) for labels in ("given", "none"))
    assert none.class_names == ["image"] and not none.train_labels.any()
    np.testing.assert_array_equal(none.train_images, given.train_images)
    np.testing.assert_array_equal(none.source.train_labels, given.train_labels)
    described = none.description()
    assert described["source"]["class_names"] == ["cats", "dogs", "owls"]
    assert described["source"]["crc32"] == given.description()["crc32"] != described["crc32"]
    assert not given.matches(described) and none.matches(described)
    clusters = given.labelled("clusters:4")
    assert clusters.class_names == [f"cluster {k}" for k in range(4)]
    assert clusters.assigned(none.train_labels + 3, none.test_labels).train_labels.max() == 3


def test_clusters_that_cannot_be():
    refuse(
        "clusters:1500 are more clusters than the 1,497 training", "digits", labels="clusters:1500"
    )
    for labels in ("clusters:1", "clusters:", "clusters:-3", "some"):
        refuse(f"`labels`: '{labels}' is not given, none or clusters:K", "digits", labels=labels)
