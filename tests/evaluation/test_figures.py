import io
import shutil
import types

import numpy as np
import pytest
from PIL import Image
from processes import finish, module, refused, start

from sgan_tf.evaluation.figures import (
    curve_drawings,
    factors,
    nearest_images,
    panels,
    samples,
    training_curves,
    variations,
)
from sgan_tf.utils.images import class_rows, image_grid, png, rows_caption

SIDE = 32


class Labelled:
    """A stack double whose images tell what made them: label, z_1 and z_0 in the three channels."""

    class_names = [f"c{i}" for i in range(10)]
    levels = [types.SimpleNamespace(index=i) for i in range(2)]

    def noise(self, count, seed):
        return [np.random.default_rng([seed, i]).random((count, 1)) for i in range(2)]

    def decode(self, labels, noise):
        return np.stack(
            [
                np.broadcast_to([label / 10, z_1[0], z_0[0]], (SIDE, SIDE, 3))
                for label, z_0, z_1 in zip(labels, *noise)
            ]
        )


def tiles(picture, rows, columns=10):
    """Returns the middle pixel of each tile, `[rows, columns, 3]`."""
    sheet = np.asarray(picture)
    left, top = sheet.shape[1] - columns * (SIDE + 1), sheet.shape[0] - rows * (SIDE + 1)
    return sheet[top + SIDE // 2 :: SIDE + 1, left + SIDE // 2 :: SIDE + 1].astype(int)


def test_variations_fix_all_but_the_lowest_noise():
    grid = tiles(variations(Labelled()), 10)
    label, z_1, z_0 = np.moveaxis(grid, -1, 0)
    assert (np.ptp(label, 1) == 0).all() and (np.ptp(z_1, 1) == 0).all()
    assert (np.ptp(z_0, 1) > 50).all()
    assert len(np.unique(z_1[:, 0])) > 7


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_picture_without_colour_is_one_channel_of_a_png(channels, mode):
    images = np.random.default_rng(0).random((4, 8, 8, channels))
    picture = image_grid(images, 2, row_names=["a", "b"])
    read = Image.open(io.BytesIO(png(picture)))
    assert read.mode == mode
    np.testing.assert_array_equal(np.asarray(read.convert("RGB")), np.asarray(picture))


def test_rows_are_of_the_classes_that_are_asked_for():
    for draw in (samples, variations):
        label = tiles(draw(Labelled(), classes=[7, 2]), 2)[..., 0]
        np.testing.assert_allclose(label, np.repeat([[178], [51]], 10, axis=1), atol=1)


@pytest.mark.parametrize("count", [21, 30, 1000])
def test_of_many_classes_a_picture_shows_some_that_are_evenly_chosen(count):
    stack = Labelled()
    stack.class_names = [f"c{i}" for i in range(count)]
    for draw in (samples, variations):
        picture = draw(stack)
        assert picture.height == 20 * (SIDE + 1)
    labels, names = class_rows(stack.class_names)
    assert len(labels) == len(names) == 20 and names[-1] == f"c{labels[-1]}"
    assert set(np.diff(labels)) <= {count // 20, count // 20 + 1}
    assert rows_caption(count) == f"a row for each of 20 of the {count:,} classes"


def test_classes_without_images_have_no_row():
    labels, names = class_rows(["a", "b", "c"], present=np.array([2, 0, 2], "int32"))
    assert labels.tolist() == [0, 2] and names == ["a", "c"]
    labels, _ = class_rows([str(i) for i in range(50)], present=np.arange(49, 9, -1))
    assert len(labels) == 20 and labels.min() == 10 and set(np.diff(labels)) == {2}


def test_factors_vary_one_thing_a_row():
    grid = tiles(factors(Labelled()), 9)
    spread = np.ptp(grid, axis=1) > 50
    # y, then z_1, then z_0, of three bases
    np.testing.assert_array_equal(spread, np.tile(np.eye(3, dtype=bool), (3, 1)))


def test_a_copied_training_image_is_its_own_nearest():
    images = Labelled().decode(np.arange(10).repeat(10), Labelled().noise(100, 0))
    train = np.round(255 * images).astype(np.uint8)
    sheet = nearest_images(Labelled(), lambda images: images[:, 0, 0], train, train[:, 0, 0])
    grid = tiles(sheet, 20)
    np.testing.assert_array_equal(grid[::2], grid[1::2])


def test_panels_are_titled_and_three_a_row():
    grids = [image_grid(np.full((1, SIDE, SIDE, 1), 30 * i, np.uint8), 1) for i in range(4)]
    sheet = panels({f"title {i}": grid for i, grid in enumerate(grids)})
    one = panels({"title": grids[0]})
    assert sheet.width == 3 * one.width and sheet.height == 2 * one.height


def test_a_grid_holds_every_image_in_its_place():
    images = np.random.default_rng(0).random((6, 32, 32, 3), dtype=np.float32)
    sheet = np.asarray(image_grid(images, 3))
    for i, image in enumerate(images):
        top, left = i // 3 * 33, i % 3 * 33
        np.testing.assert_allclose(
            sheet[top : top + 32, left : left + 32] / 255, image, atol=0.5 / 255 + 1e-6
        )


def test_small_and_grey_images_are_enlarged_and_rows_are_named():
    sheet = image_grid(np.full((4, 8, 8, 1), 200, np.uint8), 2, ["a", "much longer"])
    plain = image_grid(np.full((4, 8, 8, 1), 200, np.uint8), 2)
    assert plain.size == (66, 66) and sheet.width > plain.width and sheet.height == plain.height
    assert (np.asarray(sheet)[:, : sheet.width - plain.width] < 128).any()


def test_curves_are_drawn_for_every_stage():
    metrics = [
        {"stage": s, "epoch": e, "step": e, "adv_0": 1 / e, "spread_0": 1.0, "seconds": 1}
        for s in ("level0", "joint")
        for e in (1, 2, 3)
    ]
    picture = np.asarray(training_curves(metrics).convert("L"))
    assert picture.shape[1] > picture.shape[0] and (picture < 250).mean() > 0.01
    scored = [{**line, "fcd5k_train": 3.0, "recall5k": 0.5} for line in metrics[1:]]
    taller = np.asarray(training_curves([metrics[0], *scored]))
    assert taller.shape[0] > picture.shape[0]


def test_scores_stand_over_the_hours_that_they_took():
    lines = [{"stage": "level0", "epoch": e, "seconds": 1800.0} for e in (1, 2, 3)]
    lines[2]["recall5k"] = 0.5
    drawing = curve_drawings(lines)["level0"]
    # Only the third epoch was scored, after an hour and a half: the axis is around it.
    assert "hours of the stage" in drawing and "recall5k" in drawing and ">1.500<" in drawing


@pytest.mark.slow
def test_the_program_draws_a_run(finished, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(finished[0], run_dir)
    printed, _ = finish(start(module("figures"), ["--run_dir", run_dir]))
    for name in ("samples.png", "variations.png", "factors.png", "curves.png"):
        assert str(run_dir / name) in printed
        picture = Image.open(run_dir / name)
        assert picture.width >= 300 and picture.height >= 280
    error = refused(module("figures"), ["--run_dir", tmp_path])
    assert error == f"error: --run_dir: {tmp_path} is not a run of sgan_tf: it has no config.json\n"
