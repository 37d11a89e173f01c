"""The parts of the recommended recipe: normalisations, projections, averages, precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from shared import RECIPE

from sgan_tf.models.augmentations import AUGMENTATIONS
from sgan_tf.models.build import computing_in
from sgan_tf.models.critic import REAL
from sgan_tf.models.layers.convolution import Conv2D, Rearrange
from sgan_tf.models.layers.normalization import BatchNormalization, Modulated
from sgan_tf.models.layers.spectral import Projection, Spectral, spectral_layers
from sgan_tf.models.optimizers import optimizer_pair

RNG = np.random.default_rng(0)
SEED = tf.constant([1, 2], tf.int32)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def iterated(layer, shape, times=200):
    layer.build(shape)
    layer.w.assign(normal(*layer.w.shape))
    for _ in range(times):
        layer.iterate()
    matrix = layer.w.numpy().reshape(-1, layer.units)
    return np.linalg.svd(matrix, compute_uv=False)[0]


def test_spectral_divides_by_the_largest_singular_value():
    layer = Spectral(5)
    sigma, x = iterated(layer, (None, 7)), normal(3, 7)
    np.testing.assert_allclose(layer(x), x @ layer.w.numpy() / sigma, rtol=1e-4, atol=1e-5)
    layer = Spectral(5, 3, 2)
    sigma, x = iterated(layer, (None, 6, 6, 2)), normal(3, 6, 6, 2)
    plain = tf.nn.conv2d(x, layer.w.value, 2, "SAME")
    np.testing.assert_allclose(layer(x), plain / sigma, rtol=1e-4, atol=1e-5)


def test_spectral_passes_the_gradient_through_sigma_and_keeps_its_vectors():
    layer = Spectral(5)
    sigma, x = iterated(layer, (None, 7)), normal(3, 7)
    u, v, w = layer.u.numpy(), layer.v.numpy(), layer.w.numpy()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) * (weights := normal(3, 5)))
    gradient = tape.gradient(loss, layer.w.value)
    direct = x.T @ weights  # of the product, were sigma a constant
    expected = direct / sigma - np.sum(direct * w) / sigma**2 * np.outer(v, u)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(layer.u.numpy(), u)  # calls leave them


def test_modulation_scales_and_shifts_what_is_normalised():
    layer, x, embedding = Modulated(), normal(16, 4, 4, 3), normal(16, 5)
    layer(x, embedding)
    layer.modulation.kernel.assign(normal(5, 6))
    scale, shift = np.split(embedding @ layer.modulation.kernel.numpy(), 2, axis=1)
    plain = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-6)
    expected = plain * (1 + scale[:, None, None]) + shift[:, None, None]
    np.testing.assert_allclose(layer(x, embedding, training=True), expected, rtol=1e-3, atol=1e-3)


def test_projection_is_an_inner_product_with_class_and_condition():
    layer, features, condition = Projection(10, condition=True), normal(6, 2, 2, 4), normal(6, 3)
    labels = RNG.integers(0, 10, 6)
    layer.build(features.shape, labels.shape, condition.shape)
    classes, summed = layer.classes.numpy(), features.sum((1, 2))
    rows = classes / np.linalg.norm(classes, axis=1, keepdims=True)
    embedded = np.asarray(layer.embed(condition))
    expected = (summed * rows[labels]).sum(1) + (summed * embedded).sum(1)
    np.testing.assert_allclose(layer(features, labels, condition)[:, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(layer(features)[:, 0], np.zeros(6))  # what is not given


def test_heads_on_features_add_their_mean_and_teach_the_generator_through_the_encoder(small_stack):
    settings = ["levels.0.features=[pool1,pool2]", "levels.0.discriminator.features_weight=0.5"]
    _, stack, (reals, labels) = small_stack(overrides=settings)
    level, stage = stack.levels[0], stack.encoder.stages[0]
    heads, x = level.discriminator.heads, reals[0]
    features = [x]
    for layer in stage.layers:
        features.append(layer(features[-1]))
    names = ["input", *(layer.name for layer in stage.layers)]
    maps = [features[names.index(name)] for name in ("pool1", "pool2")]
    single = []
    for to_map, to_logit, f in zip(heads.maps, heads.logits, maps):
        hidden = np.asarray(to_map(f))
        single.append(np.asarray(to_logit(np.where(hidden > 0, hidden, 0.1 * hidden).sum((1, 2)))))
    without, _ = level.discriminator(x)
    batch = level.batch((reals[0], reals[1]), tf.constant(labels))
    logits, _ = level.critic(batch.real_rows(), SEED, REAL, training=False)
    np.testing.assert_allclose(logits - without, 0.5 * np.mean(single, 0), rtol=1e-3, atol=1e-5)
    before = [v.numpy() for v in stack.encoder.variables]
    kernel = heads.maps[0].w.numpy()
    one_update(level, (reals, labels))
    assert np.abs(heads.maps[0].w.numpy() - kernel).max() > 0
    for a, v in zip(before, stack.encoder.variables):
        np.testing.assert_array_equal(a, v.numpy())


def test_rearranging_there_and_back():
    x = normal(2, 4, 6, 3)
    channels = np.asarray(Rearrange(2, "channels")(x))
    assert channels.shape == (2, 2, 3, 12)
    np.testing.assert_array_equal(channels[0, 1, 2], x[0, 2:4, 4:6].reshape(12))
    np.testing.assert_array_equal(Rearrange(2, "space")(channels), x)


# Augmentations


def test_shift_and_translation_move_each_image_by_its_own_few_pixels():
    images = np.zeros((64, 16, 16, 1), np.float32)
    images[:, 8, 8] = 1
    for name, most in (("shift", 2), ("translation", 2)):
        moved = np.asarray(AUGMENTATIONS[name](images, SEED))
        places = np.argwhere(moved == 1)[:, 1:3] - 8
        assert len(places) == 64 and np.abs(places).max() == most
        assert len(np.unique(places, axis=0)) > 15
    corner = np.zeros((64, 16, 16, 1), np.float32)
    corner[:, 0, 0] = 1
    assert np.asarray(AUGMENTATIONS["shift"](corner, SEED)).sum() < 64  # black comes in


def test_flip_mirrors_half_of_the_images():
    images = RNG.random((200, 4, 4, 3), dtype=np.float32)
    flipped = np.asarray(AUGMENTATIONS["flip"](images, SEED))
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(flipped, images)]
    same = [np.array_equal(a, b) for a, b in zip(flipped, images)]
    assert np.all(np.logical_xor(mirrored, same)) and 70 < sum(mirrored) < 130


def test_color_is_a_change_of_brightness_saturation_and_contrast():
    images = RNG.random((5, 4, 4, 3), dtype=np.float32)
    draws = tf.random.stateless_uniform([3, 5, 1, 1, 1], SEED).numpy()
    bright = images + draws[0] - 0.5
    gray = bright.mean(3, keepdims=True)
    vivid = gray + (bright - gray) * 2 * draws[1]
    mean = vivid.mean((1, 2, 3), keepdims=True)
    expected = mean + (vivid - mean) * (draws[2] + 0.5)
    np.testing.assert_allclose(AUGMENTATIONS["color"](images, SEED), expected, rtol=1e-4, atol=1e-5)


def test_cutout_blackens_one_square():
    cut = np.asarray(AUGMENTATIONS["cutout"](np.ones((100, 8, 8, 3), np.float32), SEED))
    sizes = set()
    for image in 1 - cut[..., 0]:
        rows, columns = image.any(1), image.any(0)
        assert image.sum() == rows.sum() * columns.sum()  # a rectangle
        sizes.add((rows.sum(), columns.sum()))
    assert max(sizes) == (4, 4) and len(sizes) > 5  # partly outside at times


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_gradients_flow_through_augmentations(name):
    images = tf.constant(RNG.random((8, 8, 8, 3), dtype=np.float32))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(AUGMENTATIONS[name](images, SEED) ** 2)
    assert np.abs(tape.gradient(total, images)).sum() > 0


# Training


def one_update(level, batch, learning_rate=0.1):
    level.compile(keras.optimizers.SGD(learning_rate), keras.optimizers.SGD(learning_rate))
    (reals, labels), index = batch, level.index
    x = tuple(tf.constant(h) for h in reals[index : index + 2])
    return level.distributed_update(x if len(x) > 1 else x[0], tf.constant(labels))


def test_the_average_follows_the_weights_and_draws_the_samples(small_stack):
    _, stack, batch = small_stack(overrides=RECIPE)
    level = stack.levels[0]
    kernels = [g.get_layer("base").kernel for g in (level.average, level.generator)]
    start = kernels[1].numpy()
    np.testing.assert_array_equal(kernels[0].numpy(), start)
    expected = start
    for t in (1, 2, 3):
        one_update(level, batch)  # a new optimizer: its count of updates starts at 1 again
        decay = min(0.9, 2 / 11)
        expected = decay * expected + (1 - decay) * kernels[1].numpy()
        np.testing.assert_allclose(kernels[0].numpy(), expected, rtol=1e-5, atol=1e-7, err_msg=t)
    (reals, _), z = batch, stack.noise(8, seed=1)
    images = stack.decode(reals[1], z, top=0)
    np.testing.assert_allclose(images, level.average([reals[1], z[0]]), atol=1e-6)
    assert np.abs(images - level.generator([reals[1], z[0]])).max() > 1e-4


def test_an_averages_statistics_are_those_of_its_own_activations(small_stack):
    _, stack, (reals, _) = small_stack(overrides=RECIPE, batch=40)
    level = stack.levels[0]
    level.average.get_layer("noise0").kernel.assign(normal(8, 32))
    level.refresh_average(reals[1], SEED)
    z = tf.random.stateless_uniform([40, 8], SEED).numpy()
    activations = z @ level.average.get_layer("noise0").kernel.numpy()
    norm = level.average.get_layer("noise0_bn")
    np.testing.assert_allclose(norm.moving_mean, activations.mean(0), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, activations.var(0), rtol=1e-3, atol=1e-5)
    assert norm.momentum == 0.9


def test_spectral_norms_are_estimated_anew_once_a_discriminator_update(small_stack, monkeypatch):
    _, stack, batch = small_stack(overrides=RECIPE)
    count = {"iterations": 0}
    plain = Spectral.iterate

    def counted(layer):
        count["iterations"] += 1
        plain(layer)

    monkeypatch.setattr(Spectral, "iterate", counted)
    level = stack.levels[0]
    one_update(level, batch)
    assert count["iterations"] == len(spectral_layers(level.discriminator)) == 8


def test_real_and_generated_rows_share_a_batch_only_where_rows_are_separate(small_stack):
    for overrides, separate in ((RECIPE, True), ([], False)):
        _, stack, (reals, labels) = small_stack(overrides=overrides)
        level = stack.levels[0]
        assert level.discriminator.separate_rows is separate
    plain = [name for name in RECIPE if "augment" not in name and "r1" not in name]
    _, stack, (reals, labels) = small_stack(overrides=plain)
    level = stack.levels[0]
    batch = level.batch((reals[0], reals[1]), tf.constant(labels))
    together, _ = level.discriminator_objective(batch, SEED)
    level.discriminator.separate_rows = False
    apart, _ = level.discriminator_objective(batch, SEED)
    assert float(together) == pytest.approx(float(apart), rel=1e-5)


def test_losses_in_units_of_variance(small_stack):
    weights = [
        "levels.0.loss.lambda_cond=1",
        "levels.0.loss.lambda_ent=1",
        "levels.0.loss.lambda_adv=0",
    ]
    results = {}
    for units in ("raw", "variance"):
        overrides = [*weights, f"levels.0.loss.units={units}"]
        _, stack, (reals, labels) = small_stack(overrides=overrides)
        level = stack.levels[0]
        level.adapt(reals[1])
        batch = level.batch((reals[0], reals[1]), tf.constant(labels))
        objective, report = level.generator_objective(batch, SEED, training=False)
        results[units] = float(objective), {k: float(v) for k, v in report.items()}
    raw, numbers = results["raw"]
    assert raw == pytest.approx(numbers["cond_0"] + numbers["ent_0"], rel=1e-5)
    variance = reals[1].var(0).mean()
    expected = numbers["cond_0"] / variance + numbers["ent_0"] * 12
    assert results["variance"][0] == pytest.approx(expected, rel=1e-4)


def test_a_regulariser_of_every_so_many_steps_costs_as_much_on_average(small_stack):
    overrides = ["levels.0.loss.regularizers.r1=1", "levels.0.loss.regularize_every=4"]
    _, stack, (reals, labels) = small_stack(overrides=overrides)
    level = stack.levels[0]
    batch = level.batch((reals[0], reals[1]), tf.constant(labels))
    penalty = tf.function(
        lambda seed: level.discriminator_objective(batch, seed, training=False)[1]["r1_0"]
    )
    values = np.array([float(penalty(tf.constant([7, i]))) for i in range(200)])
    due = values > 0
    assert 30 < due.sum() < 70
    level.config.loss.regularize_every = 1
    _, report = level.discriminator_objective(batch, SEED, training=False)
    np.testing.assert_allclose(values[due], 4 * float(report["r1_0"]), rtol=1e-3)


def test_a_learning_rate_that_decays_reaches_0_at_the_stages_end(small_stack):
    _, stack, batch = small_stack(overrides=RECIPE)
    level = stack.levels[0]
    optimizers = optimizer_pair(level.config.optimizer, steps=4)
    level.compile(**optimizers)
    reals, labels = batch
    rates = []
    for _ in range(4):
        rates.append(float(optimizers["generator_optimizer"].learning_rate))
        level.distributed_update((reals[0], reals[1]), labels)
    np.testing.assert_allclose(
        np.array(rates) / level.config.optimizer.learning_rate, [1, 1, 1, 0.5]
    )
    assert float(optimizers["generator_optimizer"].learning_rate) == 0


# Noise


def test_normal_noise_is_normal(small_stack):
    _, stack, (reals, labels) = small_stack(
        overrides=["levels.0.noise=normal", "levels.0.loss.units=variance"], batch=40
    )
    level, z = stack.levels[0], stack.noise(20_000, seed=0)
    for drawn in (z[0], level.draw_noise(SEED, 20_000).numpy()):
        assert np.isfinite(drawn).all() and abs(drawn.mean()) < 0.01 and abs(drawn.std() - 1) < 0.01
        inside = [np.mean(np.abs(drawn) < bound) for bound in (1, 2, 3)]
        np.testing.assert_allclose(inside, [0.6827, 0.9545, 0.9973], atol=0.004)
    assert z[1].min() >= 0 and z[1].max() < 1  # the other level's stays
    ends = level.noise_distribution.of_uniform(np.array([0.0, 1 - 2.0**-23], np.float32))
    assert np.isfinite(np.asarray(ends)).all()
    level.discriminator.posterior.layers[-1].bias.assign(np.full(8, -3.0))
    assert np.asarray(level.infer_noise(reals[0])).min() < -1  # not clipped to [0, 1]
    assert level._units[1] == 1.0


# Precision


def test_bfloat16_is_for_products_alone(small_stack):
    results = []
    for precision in ("float32", "bfloat16"):
        _, stack, (reals, labels) = small_stack(overrides=RECIPE, batch=32, precision=precision)
        variables = [v for group in stack.networks().values() for v in group]
        assert {v.dtype for v in variables} <= {"float32", "uint32"}
        level = stack.levels[0]
        outputs = [
            stack.sample(labels, seed=1),
            *level.discriminator(reals[0], labels, reals[1]),
            *stack.encoder.features(reals[0]),
        ]
        results.append([np.asarray(x) for x in outputs])
    for a, b in zip(*results):
        assert a.dtype == b.dtype == np.float32
        assert 0 < np.abs(a - b).max() < 0.05 * np.abs(a).max()


@pytest.mark.parametrize("make", [lambda: Conv2D(64, 3, 2, "same"), lambda: Spectral(64, 3, 2)])
def test_bfloat16_gradients_on_a_map_of_one_place(make):
    x, gradients = normal(50, 1, 1, 64), []
    for precision in ("float32", "bfloat16"):
        keras.utils.set_random_seed(0)
        with computing_in(precision):
            layer = make()
        layer.build(x.shape)
        kernel = layer.trainable_variables[0].value
        tf.fill(kernel.shape, tf.cast(1e30, "bfloat16"))  # what memory may hold
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(tf.cast(layer(x), tf.float32))
        gradients.append(tape.gradient(total, kernel).numpy())
    np.testing.assert_allclose(*gradients, rtol=0.05, atol=0.5)


@pytest.mark.parametrize("training", [False, True])
def test_batch_normalisation_of_bfloat16_keeps_float32_statistics(training):
    x = normal(64, 4, 4, 3) * 3 + 2
    outputs, variances = [], []
    for dtype in ("float32", "bfloat16"):
        layer = BatchNormalization()
        layer.build(x.shape)
        y = layer(tf.cast(x, dtype), training=training)
        assert y.dtype == dtype and layer.moving_mean.dtype == "float32"
        outputs.append(np.asarray(tf.cast(y, tf.float32)))
        variances.append(layer.moving_variance.numpy())
    np.testing.assert_allclose(*outputs, rtol=0.02, atol=0.03)
    np.testing.assert_allclose(*variances, rtol=1e-3)
