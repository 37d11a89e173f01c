"""The contract of `StackSampler`: what holds for a stack holds for its export."""

import json

import numpy as np
import pytest
import tensorflow as tf

import sgan_tf
from sgan_tf.saving.serving_module import ServingModule

IMAGES = np.random.default_rng(0).random((3, 8, 8, 1), dtype=np.float32)
LABELS = np.arange(145) % 10  # more than two batches of either
MOST = 64  # rows of a request


@pytest.fixture(scope="session", params=[[], ["pool2", "fc3"]], ids=["one level", "three levels"])
def pair(request, small_stack, tmp_path_factory):
    """A stack whose images differ, and its export."""
    _, stack, _ = small_stack(request.param, ["levels.0.noise=normal"])
    rng = np.random.default_rng(0)
    for variable in stack.generator_variables():
        variable.assign(variable + rng.normal(0, 0.1, variable.shape))
    return stack, exported(stack, tmp_path_factory.mktemp("export"))


def exported(stack, folder, **changed):
    module = ServingModule(stack, stack.class_names, MOST)
    tf.saved_model.save(module, folder, signatures={**module.functions, **changed})
    data = {"class_names": stack.class_names, "image_shape": stack.image_shape}
    (folder / "assets" / "metadata.json").write_text(json.dumps({"data": data, "max_batch": MOST}))
    return sgan_tf.load(folder)


@pytest.fixture(scope="module", params=["stack", "export"])
def sampler(request, pair):
    return dict(zip(("stack", "export"), pair))[request.param]


def noise_of(sampler, count):
    rng = np.random.default_rng(1)
    return [rng.random((count, dim), dtype=np.float32) for dim in sampler.z_dims]


def test_an_export_has_the_sizes_of_its_stack(pair):
    stack, export = pair
    for name in ("class_names", "image_shape", "z_dims", "feature_shapes"):
        assert getattr(export, name) == getattr(stack, name)


def test_an_export_computes_what_its_stack_computes(pair):
    stack, export = pair
    noise = stack.noise(len(LABELS), seed=3)
    np.testing.assert_allclose(export.decode(LABELS, noise), stack.decode(LABELS, noise), atol=1e-5)
    ours, theirs = stack.infer_noise(IMAGES), export.infer_noise(IMAGES)
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), ours, theirs)
    for top, h in enumerate(ours.features):
        rows = [z[:3] for z in noise]
        images = export.decode(h, rows, top)
        np.testing.assert_allclose(images, stack.decode(h, rows, top), atol=1e-4)
    for level in range(len(stack.levels)):
        again = export.reconstruct(IMAGES, level)
        np.testing.assert_allclose(again, stack.reconstruct(IMAGES, level), atol=1e-4)


def test_an_image_is_its_label_the_seed_and_its_number(sampler):
    images = sampler.sample(LABELS, seed=4)
    assert images.shape == (len(LABELS), 8, 8, 1) and images.dtype == np.float32
    assert 0 <= images.min() <= images.max() <= 1
    for first in (1, 77):
        rest = sampler.sample(LABELS[first:].tolist(), seed=4, first=first)
        np.testing.assert_allclose(rest, images[first:], atol=1e-5)
    assert np.abs(sampler.sample(LABELS, seed=5) - images).max((1, 2, 3)).min() > 1e-3
    others = np.where(np.arange(len(LABELS)) == 5, 3, LABELS)
    changed = np.abs(sampler.sample(others, seed=4) - images).max((1, 2, 3)) > 1e-3
    assert np.flatnonzero(changed).tolist() == [5]


def test_without_a_seed_all_is_new(sampler):
    assert np.abs(sampler.sample([3, 3]) - sampler.sample([3, 3])).max((1, 2, 3)).min() > 1e-3
    varied = [sampler.variations(IMAGES, 2) for _ in range(2)]
    assert np.abs(varied[0] - varied[1]).max((2, 3, 4)).min() > 1e-3


def test_nothing_gives_nothing(sampler):
    none = np.zeros((0, 8, 8, 1), np.float32)
    assert sampler.sample([]).shape == none.shape
    assert sampler.decode([], noise_of(sampler, 0)).shape == none.shape
    assert sampler.reconstruct(none).shape == none.shape
    assert sampler.infer_noise(none).probabilities.shape == (0, 10)
    assert sampler.variations(none, 2).shape == (0, 2, 8, 8, 1)
    assert sampler.variations(IMAGES, 0).shape == (3, 0, 8, 8, 1)


def test_decoding_depends_on_values_alone(sampler):
    noise = noise_of(sampler, 9)
    images = sampler.decode(np.arange(9), noise)
    assert np.abs(np.diff(images, axis=0)).max((1, 2, 3)).min() > 1e-3
    again = sampler.decode(list(range(9)), [z.tolist() for z in noise], batch_size=2)
    np.testing.assert_allclose(again, images, atol=1e-5)
    again = sampler.decode(np.arange(9), [z.astype(np.float64) for z in noise])
    np.testing.assert_array_equal(again, images)


def test_what_is_known_of_an_image(sampler):
    known = sampler.infer_noise(IMAGES)
    np.testing.assert_allclose(known.probabilities.sum(-1), 1, rtol=1e-5)
    shapes = dict(enumerate((h.shape[1:] for h in known.features), start=1))
    assert shapes == sampler.feature_shapes
    assert [z.shape for z in known.noise] == [(3, dim) for dim in sampler.z_dims]
    pixels = sampler.infer_noise(np.round(IMAGES * 255).astype(np.uint8))
    np.testing.assert_allclose(pixels.probabilities, known.probabilities, atol=0.02)


def test_a_reconstruction_starts_from_what_is_known_above_its_level(sampler):
    known = sampler.infer_noise(IMAGES)
    for level, upper in enumerate([*known.features, known.probabilities.argmax(-1)]):
        again = sampler.decode(upper, known.noise, top=level)
        np.testing.assert_array_equal(sampler.reconstruct(IMAGES, level), again)


def test_variations_differ_by_their_noise_alone(sampler):
    varied = sampler.variations(IMAGES, 2, seed=1)
    np.testing.assert_array_equal(sampler.variations(IMAGES, 2, seed=1), varied)
    assert np.abs(varied[:, 0] - varied[:, 1]).max((1, 2, 3)).min() > 1e-3


WRONG = {
    r"labels must say which of 10 classes": lambda s: s.sample(),
    r"labels must lie in \[0, 10\); got 1 to 10": lambda s: s.sample([1, 10]),
    r"labels must lie in \[0, 10\); got -1 to -1": lambda s: s.decode([-1], noise_of(s, 1)),
    r"labels must be a vector of integers": lambda s: s.sample([0.5]),
    r"labels must be a vector of integers, not int64 of": lambda s: s.decode([[1]], []),
    r"labels cannot be read as an array": lambda s: s.sample([[1, 2], [3]]),
    r"count is for sampling without labels": lambda s: s.sample([1], count=1),
    r"first must be an integer in \[0, ": lambda s: s.sample([1], seed=0, first=-1),
    r"first must be an integer in \[0, .*not 1.5": lambda s: s.sample([1], seed=0, first=1.5),
    r"seed must be an integer in \[.*, not 1.5": lambda s: s.sample([1], seed=1.5),
    r"seed must be an integer in \[.*, not 'a'": lambda s: s.variations(IMAGES, 1, "a"),
    r"noise must hold z_0 to z_\d; it holds 0": lambda s: s.decode([1], []),
    r"noise\[0\] has 1 rows, but there are 2": lambda s: s.decode([1, 2], noise_of(s, 1)),
    r"noise\[0\] must have the shape \[N, 8\], not \(1, 3\)": lambda s: s.decode(
        [1], [np.zeros((1, 3)), *noise_of(s, 1)[1:]]
    ),
    r"noise\[0\] holds a number that is not finite": lambda s: s.decode(
        [1], [z * np.nan for z in noise_of(s, 1)]
    ),
    r"noise\[0\] cannot be read as an array": lambda s: s.decode([1], "z" * len(s.z_dims)),
    r"batch_size must be .* not 0": lambda s: s.decode([1], noise_of(s, 1), batch_size=0),
    r"top must be an integer in \[0, \d\), not 5": lambda s: s.decode([1], noise_of(s, 1), 5),
    r"top must be .* not -1": lambda s: s.decode([1], noise_of(s, 1), top=-1),
    r"level must be an integer in \[0, \d\), not 9": lambda s: s.reconstruct(IMAGES, 9),
    r"n must be .* not 1.5": lambda s: s.variations(IMAGES, 1.5),
    r"add an axis for the batch": lambda s: s.infer_noise(IMAGES[0]),
    r"images must have the shape \[N, 8, 8, 1\]": lambda s: s.reconstruct(IMAGES[:, :4]),
    r"images must be uint8, or floats in \[0, 1\]; these are int64": lambda s: s.infer_noise(
        np.zeros((2, 8, 8, 1), np.int64)
    ),
    r"floats in \[0, 1\]; these are float32 from": lambda s: s.variations(255 * IMAGES, 2),
    r"images cannot be read as an array": lambda s: s.infer_noise([[1, 2], [3]]),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_is_the_same_line(pair, message):
    said = []
    for sampler in pair:
        with pytest.raises(ValueError, match=message) as error:
            WRONG[message](sampler)
        said.append(str(error.value))
    assert "\n" not in said[0]
    if not message.startswith(("seed", "first")):  # of which a stack has more
        assert said[0] == said[1]


def test_features_of_other_sizes_are_the_same_line(pair):
    stack, _ = pair
    for top, shape in enumerate(list(stack.feature_shapes.values())):
        said = []
        for sampler in pair:
            with pytest.raises(ValueError, match="condition must have the shape") as error:
                sampler.decode(np.zeros((1, *shape, 1)), noise_of(stack, 1), top)
            said.append(str(error.value))
        assert said[0] == said[1]


@pytest.mark.slow
def test_an_export_that_lacks_a_level_says_so(small_stack, tmp_path):
    _, stack, _ = small_stack(["pool2", "fc3"])
    encode = ServingModule(stack, stack.class_names, MOST).functions["encode"]

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], name="images")])
    def older(images):  # as version 0.1.0 wrote it
        return {name: x for name, x in encode(images=images).items() if name != "features2"}

    export = exported(stack, tmp_path, encode=older)
    assert len(export.infer_noise(IMAGES).features) == 1
    np.testing.assert_allclose(export.reconstruct(IMAGES), stack.reconstruct(IMAGES), atol=1e-4)
    with pytest.raises(ValueError, match="level must be 0 or 2 of this export, not 1; export"):
        export.reconstruct(IMAGES, 1)
    with pytest.raises(ValueError, match="top must be 0 or 2 of this export, not 1; export"):
        export.decode(IMAGES, noise_of(stack, 3), top=1)
