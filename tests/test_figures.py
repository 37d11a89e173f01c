import numpy as np

from sgan_tf.figures import image_grid, training_curves


def test_a_grid_holds_every_image_in_its_place():
    images = np.random.default_rng(0).random((6, 32, 32, 3), dtype=np.float32)
    sheet = np.asarray(image_grid(images, 3))
    for i, image in enumerate(images):
        top, left = i // 3 * 33, i % 3 * 33
        np.testing.assert_allclose(sheet[top:top + 32, left:left + 32] / 255, image, atol=0.5 / 255 + 1e-6)


def test_small_and_grey_images_are_enlarged_and_rows_are_named():
    sheet = image_grid(np.full((4, 8, 8, 1), 200, np.uint8), 2, ["a", "much longer"])
    plain = image_grid(np.full((4, 8, 8, 1), 200, np.uint8), 2)
    assert plain.size == (66, 66) and sheet.width > plain.width and sheet.height == plain.height
    assert (np.asarray(sheet)[:, :sheet.width - plain.width] < 128).any()


def test_curves_are_drawn_for_every_stage():
    metrics = [{"stage": s, "epoch": e, "step": e, "adv_0": 1 / e, "spread_0": 1.0, "seconds": 1} for s in ("level0", "joint") for e in (1, 2, 3)]
    picture = np.asarray(training_curves(metrics).convert("L"))
    assert picture.shape[1] > picture.shape[0] and (picture < 250).mean() > 0.01
