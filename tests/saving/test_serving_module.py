"""The signatures' mathematics and checks, on untrained stacks."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from shared import RECIPE

from sgan_tf.saving.serving_module import ServingModule

NAMES = [f"class {i}" for i in range(10)]
MOST = 64


@pytest.fixture(
    scope="module",
    params=[[], ["fc3"], ["pool2", "fc3"]],
    ids=["one level", "two levels", "three levels"],
)
def sampler(request, small_stack):
    _, stack, (reals, labels) = small_stack(request.param)
    batch = (*reals, labels)
    for level in stack.levels:  # far from the initial 0.02, so that the noise shows
        for variable in level.generator.trainable_variables:
            variable.assign(np.random.default_rng(0).normal(0, 0.3, variable.shape))
    return ServingModule(stack, NAMES, MOST), stack, batch


def ints(*values):
    return tf.constant(values, tf.int64)


def test_decode_and_render_are_the_stacks_chain(sampler):
    sampler, stack, batch = sampler
    noise = stack.noise(8, seed=1)
    inputs = {f"z{i}": tf.constant(z) for i, z in enumerate(noise)}
    images = sampler.functions["decode"](labels=tf.cast(batch[-1], tf.int64), **inputs)["images"]
    np.testing.assert_allclose(images, stack.decode(batch[-1], noise), atol=1e-6)
    names = ["render", "render2"][: len(noise) - 1]
    assert [name for name in sampler.functions if name.startswith("render")] == names
    for top, name in enumerate(names):
        upper = {name.replace("render", "features"): batch[top + 1]}
        below = {f"z{i}": inputs[f"z{i}"] for i in range(top + 1)}
        images = sampler.functions[name](**upper, **below)["images"]
        np.testing.assert_allclose(images, stack.decode(batch[top + 1], noise, top), atol=1e-6)


def test_encode_is_what_the_stack_knows_of_an_image(sampler):
    sampler, stack, batch = sampler
    known, outputs = stack.infer_noise(batch[0]), sampler.functions["encode"](images=batch[0])
    np.testing.assert_allclose(outputs["probabilities"], known.probabilities, atol=1e-6)
    for i, z in enumerate(known.noise):
        np.testing.assert_allclose(outputs[f"z{i}"], z, atol=1e-6)
    features = [h for name, h in outputs.items() if name.startswith("features")]
    assert len(features) == len(known.features)
    for h, expected in zip(features, known.features):
        np.testing.assert_allclose(h, expected, atol=1e-6)


class Own(keras.Model):
    """A D and Q of one's own, with no part that this package knows by name."""

    def __init__(self, z_dim):
        super().__init__()
        self.flat, self.hidden = keras.layers.Flatten(), keras.layers.Dense(5, activation="tanh")
        self.verdict = keras.layers.Dense(1)
        self.estimate = keras.layers.Dense(z_dim, activation="sigmoid")

    def call(self, h, training=False, **options):
        hidden = self.hidden(self.flat(h))
        return self.verdict(hidden), self.estimate(hidden)


def test_discriminators_of_ones_own_are_exported(small_stack, tmp_path):
    _, stack, (reals, labels) = small_stack()
    batch = (*reals, labels)
    for level, h in zip(stack.levels, batch):
        level.discriminator = Own(level.config.z_dim)
        level.discriminator(h)  # makes its weights
    sampler = ServingModule(stack, NAMES, MOST)
    networks = [*stack.encoder.stages]
    networks += [part for level in stack.levels for part in (level.generator, level.discriminator)]
    weights = {id(w.value) for network in networks for w in network.weights}
    assert sorted(id(variable) for variable in sampler.weights) == sorted(weights)
    tf.saved_model.save(sampler, str(tmp_path), signatures=sampler.functions)
    encode = tf.saved_model.load(str(tmp_path)).signatures["encode"]
    outputs = encode(images=tf.constant(batch[0]))
    for i, (level, h) in enumerate(zip(stack.levels, batch)):
        expected = level.discriminator(h)[1].numpy()
        assert expected.std(0).min() > 0
        np.testing.assert_allclose(outputs[f"z{i}"], expected, atol=1e-5)


def test_a_seeded_row_depends_on_its_own_label_and_seed_alone(sampler):
    sampler, _, batch = sampler
    labels, seeds = tf.range(20, dtype=tf.int64) % 10, ints(*range(-5, 15)) * 10**17
    whole = sampler.functions["sample_seeded"](labels=labels, seeds=seeds)["images"].numpy()
    order = np.random.default_rng(0).permutation(20)
    parts = [
        sampler.functions["sample_seeded"](labels=tf.gather(labels, p), seeds=tf.gather(seeds, p))[
            "images"
        ].numpy()
        for p in np.split(order, [1, 8])
    ]
    np.testing.assert_allclose(np.concatenate(parts), whole[order], atol=1e-5)
    others = sampler.functions["sample_seeded"](labels=labels, seeds=seeds + 1)["images"].numpy()
    assert (np.abs(others - whole).reshape(20, -1).max(1) > 1e-4).all()
    images = tf.repeat(batch[0][:1], 20, axis=0)
    varied = sampler.functions["variations"](images=images, seeds=seeds)["images"].numpy()
    alone = sampler.functions["variations"](images=images[:1], seeds=seeds[7:8])["images"].numpy()
    np.testing.assert_allclose(varied[7:8], alone, atol=1e-5)
    assert len(np.unique(varied.reshape(20, -1).round(4), axis=0)) == 20


def test_variations_share_the_images_h_1(small_stack):
    _, stack, (reals, labels) = small_stack()
    batch = (*reals, labels)
    sampler = ServingModule(stack, NAMES, MOST)
    seeds = ints(*range(8))
    images = sampler.functions["variations"](images=batch[0], seeds=seeds)["images"]
    z0 = sampler._rows(seeds, sampler.z_dims[0])
    expected = sampler.functions["render"](features=batch[1], z0=z0)["images"]
    np.testing.assert_allclose(images, expected, atol=1e-5)
    assert z0.numpy().min() >= 0 and z0.numpy().max() < 1 and 0.3 < z0.numpy().mean() < 0.7


def test_png_holds_the_seeded_images(sampler):
    sampler, _, _ = sampler
    inputs = {"labels": ints(3, 4), "seeds": ints(1, 2)}
    images = sampler.functions["sample_seeded"](**inputs)["images"].numpy()
    pngs = sampler.functions["sample_png"](**inputs)["image_bytes"].numpy()
    for image, png in zip(images, pngs):
        np.testing.assert_array_equal(
            np.asarray(Image.open(io.BytesIO(png))), np.round(image[..., 0] * 255)
        )


def test_lookup_takes_names_and_numbers(small_stack):
    names = [*(str(9 - i) for i in range(9)), "cat"]
    lookup = ServingModule(small_stack()[1], names, MOST).functions["lookup"]
    labels = lookup(names=tf.constant(["cat", "9", "1", "0"]))["labels"]
    assert labels.numpy().tolist() == [9, 0, 8, 0]
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"unknown class\] \[dog\].*the classes are: 9, 8, .*cat",
    ):
        lookup(names=tf.constant(["cat", "dog"]))


def test_describe_names_classes_and_the_noise_of_each_level(small_stack):
    _, stack, _ = small_stack(overrides=["levels.0.noise=normal"])
    known = ServingModule(stack, NAMES, MOST).functions["describe"](labels=ints(3, 9, 3))
    assert known["names"].numpy().tolist() == [b"class 3", b"class 9", b"class 3"]
    assert known["noise"].numpy().tolist() == [[b"normal", b"uniform"]] * 3


def test_what_no_signature_takes(sampler):
    sampler, _, batch = sampler
    zeros = {f"z{i}": tf.zeros([2, d]) for i, d in enumerate(sampler.z_dims)}
    image = tf.zeros([1, 8, 8, 1])
    cases = [
        (r"labels must lie in \[0, 10\)", "serving_default", {"labels": ints(1, 10)}),
        (r"labels must lie in \[0, 10\)", "sample_png", {"labels": ints(-1), "seeds": ints(0)}),
        (r"at most 64 rows", "serving_default", {"labels": tf.zeros([65], tf.int64)}),
        (
            r"at most 64 rows",
            "variations",
            {"images": tf.zeros([65, 8, 8, 1]), "seeds": tf.zeros([65], tf.int64)},
        ),
        (r"the same number of rows", "sample_seeded", {"labels": ints(1, 2), "seeds": ints(1)}),
        (r"the same number of rows", "decode", {"labels": ints(1, 2, 3), **zeros}),
        (r"images must be float32 in \[0, 1\]", "encode", {"images": image + 1.01}),
        (r"images must be float32 in \[0, 1\]", "encode", {"images": image - 0.01}),
        (r"images must be float32 in \[0, 1\]", "encode", {"images": image + np.nan}),
        (r"shape \[N, 8, 8, 1\]; got\] \[8 8 1\]", "encode", {"images": image[0]}),
        (r"shape \[N, 8, 8, 1\]; got\] \[1 1 8 8 1\]", "encode", {"images": image[None]}),
        (r"labels must have the shape \[N\]; got\] \[1 1\]", "serving_default", {"labels": [[1]]}),
        (r"labels must have the shape \[N\]; got\] \[\]", "serving_default", {"labels": 1}),
        (r"names must have the shape \[N\]; got\] \[1 1\]", "lookup", {"names": [["1"]]}),
        (
            "z0 must be finite",
            "decode",
            {"labels": ints(1, 2), **zeros, "z0": zeros["z0"] + np.nan},
        ),
        (
            "z0 must be finite",
            "decode",
            {"labels": ints(1, 2), **zeros, "z0": zeros["z0"] - np.inf},
        ),
    ]
    if "render" in sampler.functions:
        h, z = batch[1][:2], zeros["z0"]
        cases += [
            ("features must be finite", "render", {"features": h + np.nan, "z0": z}),
            ("z0 must be finite", "render", {"features": h, "z0": z + np.nan}),
        ]
    if "render2" in sampler.functions:
        upper = {"features2": batch[2][:2] + np.inf, "z0": zeros["z0"], "z1": zeros["z1"]}
        cases.append(("features2 must be finite", "render2", upper))
    for message, signature, inputs in cases:
        dtypes = {"labels": tf.int64}
        inputs = {name: tf.constant(x, dtypes.get(name)) for name, x in inputs.items()}
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            sampler.functions[signature](**inputs)


def test_an_empty_batch_gives_an_empty_result(sampler):
    sampler, _, _ = sampler
    for function in sampler.functions.values():
        inputs = {
            name: tf.zeros([0, *spec.shape[1:]], spec.dtype)
            for name, spec in function.structured_input_signature[1].items()
        }
        for name, output in function(**inputs).items():
            assert output.shape == (0, *function.structured_outputs[name].shape[1:])


def test_samples_of_averaged_levels_with_normal_noise(small_stack):
    """What is drawn inside the signatures is what the stack would be given by hand."""
    _, stack, (_, labels) = small_stack(overrides=[*RECIPE, "levels.0.noise=normal"])
    for variable in stack.levels[0].average.trainable_variables:
        variable.assign(np.random.default_rng(0).normal(0, 0.3, variable.shape))
    sampler, seeds = ServingModule(stack, NAMES, MOST), np.arange(8)
    dims = [level.config.z_dim for level in stack.levels]
    draws = [tf.random.stateless_uniform([sum(dims)], [seed, 0], alg="philox") for seed in seeds]
    parts = zip(stack.levels, tf.split(tf.stack(draws), dims, axis=1))
    noise = [np.asarray(level.noise_distribution.of_uniform(u)) for level, u in parts]
    assert noise[0].min() < 0
    inputs = {"labels": tf.cast(labels, tf.int64), "seeds": tf.constant(seeds)}
    images = sampler.functions["sample_seeded"](**inputs)["images"]
    np.testing.assert_allclose(images, stack.decode(labels, noise), atol=1e-6)
    fresh = sampler.functions["serving_default"](labels=inputs["labels"])["images"]
    assert np.abs(fresh - images).max() > 1e-3
