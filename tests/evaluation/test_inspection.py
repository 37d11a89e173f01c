"""What layers keep: numbers against NumPy and closed forms, the picture, and the program."""

import json
import math
import shutil
import types

import matplotlib
import numpy as np
import pytest
from PIL import Image
from processes import ROOT, finish, module, refused, run, start

from sgan_tf.evaluation.figures import MOST, layers
from sgan_tf.evaluation.inspection import BATCH, inspect_layers, score_layers
from sgan_tf.evaluation.layer_scores import PICTURE, caption, for_report, markdown, save
from sgan_tf.utils.images import png

SIDE = 4
CLASSES = 3
PROGRAM = module("inspection")
OLD_RUN = ROOT / "tests" / "fixtures" / "v0.1.0" / "run"  # finished


class Halves:
    """A stack double: h_1 is an image's left half, the class which of its columns is brightest.

    G_0 puts z_0 into the right half, G_1 fills the left half with the class's own picture and z_1.
    """

    levels = [types.SimpleNamespace(index=i) for i in range(2)]
    encoder = types.SimpleNamespace(
        image_shape=(SIDE, 2 * SIDE, 1),
        features=lambda images: [left := images[:, :, :SIDE, 0], 3 * left[:, 0, :CLASSES]],
    )

    def noise(self, count, seed):
        seeds = [None if seed is None else [seed, i] for i in range(2)]
        return [np.random.default_rng(s).random((count, SIDE * SIDE)) for s in seeds]

    def decode(self, condition, noise, top):
        z_0, z_1 = (z.reshape(-1, SIDE, SIDE) for z in (noise * 2)[:2])
        left = condition
        if top == 1:
            left = 0.1 * z_1 + 0.9 * np.eye(SIDE)[condition][:, None]
        return np.concatenate([left, z_0], axis=2)[..., None].astype(np.float32)


class Constant(Halves):
    def decode(self, condition, noise, top):
        return np.full((len(condition), SIDE, 2 * SIDE, 1), 0.25, np.float32)


def some_images(count, seed=0, shape=(SIDE, 2 * SIDE, 1)):
    return np.random.default_rng(seed).random((count, *shape), dtype=np.float32)


def test_images_of_a_row_share_h_exactly_and_vary_where_it_is_blind():
    images = some_images(5)
    of_h_1, of_label = inspect_layers(Halves(), images, draws=4, seed=1)
    assert (of_h_1.name, of_label.name) == ("h_1", "label")
    assert of_h_1.drawn.shape == of_label.drawn.shape == (5, 4, SIDE, 2 * SIDE, 1)
    left, right = np.split(of_h_1.drawn, 2, axis=3)
    np.testing.assert_array_equal(left, np.repeat(images[:, None, :, :SIDE], 4, axis=1))
    z_0 = Halves().noise(20, 1)[0].reshape(5, 4, SIDE, SIDE, 1)
    np.testing.assert_allclose(right, z_0, rtol=1e-6)
    np.testing.assert_array_equal(of_h_1.variance[:, :, :SIDE], 0)
    unbiased = ((z_0 - z_0.mean(1, keepdims=True)) ** 2).sum(1) / 3
    np.testing.assert_allclose(of_h_1.variance[:, :, SIDE:], unbiased, rtol=1e-5)
    np.testing.assert_allclose(of_h_1.mean[:, :, SIDE:], z_0.mean(1), rtol=1e-5)
    scores = of_h_1.scores
    assert scores.relative_error == 0 and scores.quartiles == (0, 0) and scores.agreement == 1
    assert scores.pixel_std == pytest.approx(math.sqrt(unbiased.mean() / 2), rel=1e-5)
    # The draws of the label have the same z_0 as those of h_1.
    np.testing.assert_array_equal(of_label.drawn[:, :, :, SIDE:], right)


def test_the_label_is_compared_with_the_probabilities_of_classes():
    images = some_images(6)
    label = inspect_layers(Halves(), images, draws=3, seed=2)[1]
    classes = images[:, 0, :CLASSES, 0].argmax(-1)
    logits = 3 * label.drawn[:, :, 0, :CLASSES, 0].astype(np.float64)
    odds = np.exp(logits)
    probabilities = odds / odds.sum(-1, keepdims=True)
    expected = np.linalg.norm(probabilities - np.eye(CLASSES)[classes][:, None], axis=-1)
    np.testing.assert_allclose(label.relative_errors, expected, rtol=1e-4)
    assert label.agrees.all()
    # One-hot vectors are 0 or the root of 2 apart.
    apart = np.where(classes == np.roll(classes, 1), 0, math.sqrt(2))
    np.testing.assert_allclose(label.unrelated_errors, apart)


def test_scores_are_numpys_on_networks(small_stack):
    _, stack, ([images, *features], _) = small_stack(cuts=("pool2", "fc3"))
    classes = np.argmax(stack.encoder(images), -1)
    noise = stack.noise(16, 3)
    for top, layer in enumerate(inspect_layers(stack, images, draws=2, seed=3)):
        condition = classes if top == 2 else features[top]
        drawn = stack.decode(np.repeat(condition, 2, axis=0), noise[: top + 1], top)
        np.testing.assert_allclose(layer.drawn.reshape(drawn.shape), drawn, atol=1e-6)
        *again, logits = [h.numpy() for h in stack.encoder.features(drawn)]
        if top < 2:
            h = np.repeat(features[top], 2, axis=0).reshape(16, -1)
            errors = np.linalg.norm(again[top].reshape(16, -1) - h, axis=1)
            errors /= np.linalg.norm(h, axis=1)
            np.testing.assert_allclose(layer.relative_errors.ravel(), errors, rtol=1e-4)
            quartiles = np.percentile(errors, [25, 50, 75])
            found = layer.scores
            given = [found.quartiles[0], found.relative_error, found.quartiles[1]]
            np.testing.assert_allclose(given, quartiles, rtol=1e-4)
            other = np.linalg.norm(h[::2] - np.roll(h[::2], 1, axis=0), axis=1)
            other /= np.linalg.norm(h[::2], axis=1)
            assert found.unrelated_error == pytest.approx(np.median(other), rel=1e-4)
        agrees = np.argmax(logits, -1) == np.repeat(classes, 2)
        assert layer.scores.agreement == agrees.mean()


def test_a_generator_that_ignores_its_noise_has_no_variance():
    inspected = inspect_layers(Constant(), some_images(2), draws=2)
    for layer in inspected:
        np.testing.assert_array_equal(layer.variance, 0)
        assert layer.scores.pixel_std == 0
    assert layers(some_images(2), inspected).width > 100  # it can be drawn


def test_a_single_image_has_none_to_compare_it_with():
    for layer in inspect_layers(Halves(), some_images(1)):
        assert layer.scores.unrelated_error is None
        assert "| – |" in markdown([layer.scores])


def test_an_h_of_zeros_gives_numbers():
    (layer, _) = inspect_layers(Halves(), np.zeros((2, SIDE, 2 * SIDE, 1), np.float32))
    assert np.isfinite(layer.relative_errors).all() and np.isfinite(layer.unrelated_errors).all()


def test_a_seed_repeats_the_draws_and_uint8_serves():
    images = np.round(255 * some_images(3)).astype(np.uint8)
    for a, b in zip(*(inspect_layers(Halves(), x, 2, seed=5) for x in (images, images / 255))):
        np.testing.assert_allclose(a.drawn, b.drawn, atol=1e-6)


def test_many_images_are_measured_in_blocks():
    seen = []

    def progress(blocks):
        seen.extend(blocks)
        return blocks

    count = 2 * BATCH + 1  # a block of one image has no other to compare with
    scores = score_layers(Halves(), some_images(count), draws=3, progress=progress)
    assert len(seen) == 3
    assert [(s.name, s.images, s.draws) for s in scores] == [("h_1", count, 3), ("label", count, 3)]
    assert scores[0].relative_error == 0 and scores[0].agreement == 1
    assert scores[0].pixel_std == pytest.approx(math.sqrt(1 / 24), rel=0.05)
    few = some_images(20)
    of_few = score_layers(Halves(), few, draws=3, seed=4)
    assert of_few == [layer.scores for layer in inspect_layers(Halves(), few, draws=3, seed=4)]


@pytest.mark.parametrize(
    ("images", "draws", "named"),
    [
        (some_images(2), 1, "draws"),
        (some_images(2), 2.5, "draws"),
        (some_images(0), 2, "images"),
        (some_images(2)[:, :, 1:], 2, "images"),
        (some_images(2) + 1, 2, "images"),
    ],
)
def test_what_cannot_be_inspected_is_named(images, draws, named):
    with pytest.raises(ValueError, match=f"^{named} must"):
        inspect_layers(Halves(), images, draws)


def test_the_picture_has_a_row_a_layer_and_what_is_ignored_glows():
    stack, side = Halves(), 32
    inspected = inspect_layers(stack, some_images(2), draws=3, seed=0)
    images = some_images(2)
    sheet = layers(images, inspected, ["a caption"])
    tile = side + 1  # of images 4 pixels high, enlarged by 8
    wide = 2 * side + 1
    left = sheet.width - 6 * wide
    pixels = np.asarray(sheet)

    def cell(top, column):
        start = left + column * wide
        return pixels[top : top + side, start : start + 2 * side]

    highest = max(layer.variance.max() for layer in inspected)
    head = 16 * 3  # the caption, the legend and the names of columns
    block = 2 * tile + 12
    for k, image in enumerate(images):
        tops = [head + k * (block) + row * tile for row in range(2)]
        shown = cell(tops[0], 0)[4::8, 4::8, 0]
        np.testing.assert_allclose(shown / 255, image[..., 0], atol=1 / 255)
        assert (cell(tops[1], 0) == 255).all()  # the image stands once
        for layer, top in zip(inspected, tops):
            kept = cell(top, 1)[4::8, 4::8, 0]
            np.testing.assert_allclose(kept / 255, layer.mean[k][..., 0], atol=1 / 255)
            for draw in range(3):
                shown = cell(top, 3 + draw)[4::8, 4::8, 0]
                np.testing.assert_allclose(shown / 255, layer.drawn[k, draw, ..., 0], atol=1 / 255)
        for layer, top in zip(inspected, tops):  # variances have one scale
            glow = matplotlib.colormaps["magma"](layer.variance[k][..., 0] / highest)[..., :3]
            np.testing.assert_allclose(cell(top, 2)[4::8, 4::8] / 255, glow, atol=1 / 255)
    generated = np.asarray(layers(None, inspected, ["a caption"]))
    np.testing.assert_array_equal(generated[head:, left:], pixels[head:, left + wide :])


def test_large_images_are_shrunk_so_that_the_picture_stays_small():
    shape = (200, 200, 3)
    drawn = some_images(4, shape=(6, *shape))
    layer = inspect_layers(Halves(), some_images(4))[0]
    layer = type(layer)("h_1", drawn, layer.relative_errors, layer.unrelated_errors, layer.agrees)
    sheet = layers(some_images(4, shape=shape), [layer, layer])
    assert sheet.width < 10 * (MOST + 1) + 20
    assert len(png(sheet)) < 600_000  # of noise, which no PNG compresses


def test_the_report_shows_an_inspection_of_its_own_weights_alone(tmp_path):
    weights = {"encoder": "01", "joint": "02"}
    scores = inspect_layers(Halves(), some_images(2), 2)[0].scores
    assert for_report(tmp_path, weights) == {}
    facts = {"weights": weights, "captions": [caption(scores)]}
    save(tmp_path / PICTURE, facts, b"picture")
    ((text, picture),) = for_report(tmp_path, weights).items()
    assert picture == b"picture" and "h_1: relative error 0 (0 to 0)" in text
    assert for_report(tmp_path, {**weights, "joint": "03"}) == {}
    (tmp_path / "inspect.json").write_text("[]")
    assert for_report(tmp_path, weights) == {}


# The program


@pytest.fixture
def files(digits, tmp_path):
    """A digit as it is, and another one large, in colour and not square."""
    Image.fromarray(digits.test_images[0, ..., 0]).save(tmp_path / "a.png")
    large = Image.fromarray(digits.test_images[1, ..., 0]).convert("RGB").resize((60, 40))
    large.save(tmp_path / "b.jpg")
    return [tmp_path / "a.png", tmp_path / "b.jpg"]


@pytest.mark.slow
def test_the_program_draws_and_measures(finished, files, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(finished[0], run_dir)
    arguments = ["--run_dir", run_dir, "--images", *files, "--count", "50"]
    out, err = finish(start(PROGRAM, arguments))
    assert "50 test images of digits" in out and err == ""
    table = [line for line in out.splitlines() if line.startswith("| ")]
    assert len(table) == 4 and table[2].startswith("| h_1 (fc3) |") and "| label |" in table[3]
    facts = json.loads((run_dir / "inspect.json").read_text())
    assert [layer["images"] for layer in facts["layers"]] == [50, 50]
    assert all(0 <= layer["agreement"] <= 1 for layer in facts["layers"])
    assert facts["captions"][0] in for_report(run_dir, facts["weights"]).popitem()[0]
    picture = Image.open(run_dir / PICTURE)
    assert picture.format == "PNG" and 300 < picture.width < 500
    # Again, with more draws, on the images alone, as words without a flag.
    damaged = json.loads((run_dir / "data.json").read_text())
    (run_dir / "data.json").write_text(json.dumps({**damaged, "crc32": "0"}))
    out, _ = run(PROGRAM, [*files, "--run_dir", run_dir, "--draws", "12", "--nooriginals"])
    assert "the images given alone, as there are no test images (--data_dir: " in out
    assert Image.open(run_dir / PICTURE).width > picture.width
    facts = json.loads((run_dir / "inspect.json").read_text())
    assert facts["layers"][0]["draws"] == 12 and not facts["settings"]["originals"]
    # Not over what is somebody else's.
    shutil.copy(files[0], tmp_path / "c.png")
    line = refused(PROGRAM, ["--run_dir", run_dir, *files, "--out", tmp_path / "c.png"])
    assert "c.png" in line and (tmp_path / "c.png").read_bytes() == files[0].read_bytes()
    assert "config.json" in refused(
        PROGRAM, ["--run_dir", run_dir, *files, "--out", run_dir / "config.png"]
    )


def test_wrong_images_are_one_line(files, tmp_path):
    (tmp_path / "text.png").write_text("hello")

    def line(*arguments):
        return refused(PROGRAM, ["--run_dir", OLD_RUN, *arguments])

    said = line("--images", files[0], tmp_path / "text.png", tmp_path / "no.png")
    assert "text.png (in no format that Pillow reads), " in said
    assert "no.png (No such file or directory)" in said and "a.png" not in said
    assert "--images: name one" in line()
    assert "draws" in line("--images", files[0], "--draws", "1")
    assert "--out" in line("--images", files[0], "--out", tmp_path / "x.doc")
    assert "is not a run" in refused(PROGRAM, ["--run_dir", tmp_path, "--images", files[0]])
    assert not (OLD_RUN / PICTURE).exists()


def test_an_unfinished_run_is_refused(files, tmp_path):
    shutil.copytree(OLD_RUN, tmp_path / "run")
    for stage in ("joint", "level0"):
        (tmp_path / "run" / "checkpoints" / f"{stage}.safetensors").unlink()
    line = refused(PROGRAM, ["--run_dir", tmp_path / "run", *files])
    assert "level0 is not finished" in line
