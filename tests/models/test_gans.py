"""LevelGAN and StackedGAN: what each step changes, and what the chain computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sgan_tf.models import losses
from sgan_tf.models.level_gan import LevelGAN
from sgan_tf.models.noise import step_seed
from sgan_tf.models.optimizers import optimizer_pair
from sgan_tf.models.stacked_gan import StackedGAN

SEED = tf.constant([1, 2], tf.int32)


def level_data(batch, index):
    """`(x, y)` of a level: `(h_i, h_{i+1})`, `h_i` alone at the top, and the labels."""
    reals, labels = batch
    pair = tuple(reals[index : index + 2])
    return (pair if len(pair) > 1 else pair[0]), labels


def stack_data(batch):
    return tuple(batch[0]), batch[1]


def values(variables):
    return [v.numpy() for v in variables]


def changed(before, variables):
    return [bool((a != v.numpy()).any()) for a, v in zip(before, variables)]


def gan_stages(stack, batch):
    """Every model that a GAN stage trains, with a batch for it."""
    return [(level, level_data(batch, level.index)) for level in stack.levels] + [
        (stack, stack_data(batch))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("cuts", [[], ["pool2", "fc3"]])
def test_training_moves_g_d_and_q_but_never_the_encoder(small_stack, cuts):
    config, stack, batch = small_stack(cuts)
    encoder = values(stack.encoder.variables)
    for model, data in gan_stages(stack, batch):
        model.compile(**optimizer_pair(config.joint.optimizer))
        before_d = values(model.discriminator_variables())
        before_g = values(model.generator_variables())
        model.fit(tf.data.Dataset.from_tensors(data), verbose=0)
        assert all(changed(before_d, model.discriminator_variables()))
        assert all(changed(before_g, model.generator_variables()))
        assert all(np.isfinite(float(metric.result())) for metric in model.metrics)
        assert not any(changed(encoder, stack.encoder.variables))


def test_each_step_moves_its_own_side(small_stack, sgd):
    _, stack, batch = small_stack()
    for model, data in gan_stages(stack, batch):
        model.compile(*sgd())
        d, g = model.discriminator_variables(), model.generator_variables()
        before_d, before_g, rows = values(d), values(g), model.batch(*data)
        model.discriminator_step(rows)
        assert all(changed(before_d, d)) and not any(changed(before_g, g))
        before_d = values(d)
        model.generator_step(rows)
        assert not any(changed(before_d, d)) and all(changed(before_g, g))


def test_the_generator_receives_the_gradient_of_each_term(small_stack):
    """With one lambda alone, Eq. (3) is that term alone."""
    only = {"lambda_adv": "adv", "lambda_cond": "cond", "lambda_ent": "ent"}
    for kept in only:
        overrides = [f"levels.0.loss.{name}={1 if name == kept else 0}" for name in only]
        _, stack, batch = small_stack(overrides=overrides)
        level = stack.levels[0]
        with tf.GradientTape() as tape:
            rows = level.batch(*level_data(batch, 0))
            objective, report = level.generator_objective(rows, SEED)
        gradients = tape.gradient(objective, [v.value for v in level.generator_variables()])
        assert all(g is not None for g in gradients)
        assert max(float(tf.reduce_max(tf.abs(g))) for g in gradients) > 0
        assert set(report) == {f"{only[kept]}_0"}


def operations(level, data):
    """The number of operations that one step's graph really runs."""

    @tf.function
    def step():
        rows = level.batch(*data)
        d, _ = level.discriminator_objective(rows, SEED)
        g, _ = level.generator_objective(rows, SEED)
        return tf.identity(d, "d"), tf.identity(g, "g")

    graph = step.get_concrete_function().graph
    pruned = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), ["d", "g"])
    stateful = [op for op in graph.get_operations() if "Assign" in op.type]
    return len(pruned.node) + len(stateful)


@pytest.mark.slow
def test_lambda_0_removes_the_terms_cost(small_stack):
    def count(*overrides):
        _, stack, batch = small_stack(overrides=overrides)
        return operations(stack.levels[0], level_data(batch, 0))

    whole = count()
    without = [
        count(f"levels.0.loss.{name}=0") for name in ("lambda_adv", "lambda_cond", "lambda_ent")
    ]
    assert all(n < whole for n in without)
    assert count("levels.0.loss.lambda_adv=0", "levels.0.loss.lambda_ent=0") < min(without)


def test_the_posterior_weight_scales_the_entropy_loss_of_d_and_not_of_g(small_stack):
    def objectives(weight):
        _, stack, batch = small_stack(
            overrides=["levels.0.loss.lambda_adv=0", f"levels.0.loss.posterior_weight={weight}"]
        )
        level = stack.levels[0]
        rows = level.batch(*level_data(batch, 0))
        objectives = (level.discriminator_objective, level.generator_objective)
        return [float(objective(rows, SEED)[0]) for objective in objectives]

    (d, g), (d_tenth, g_tenth) = objectives(1.0), objectives(0.1)
    assert d_tenth == pytest.approx(0.1 * d, rel=1e-5) and g_tenth == pytest.approx(g, rel=1e-5)


@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_a_posterior_that_starts_at_the_prior_begins_as_one_that_knows_nothing(
    small_stack, activation
):
    _, stack, _ = small_stack(
        overrides=[
            "levels.0.discriminator.posterior_prior_init=true",
            f"levels.0.discriminator.posterior_activation={activation}",
        ]
    )
    images = np.random.default_rng(0).random((500, 8, 8, 1), np.float32)
    z = stack.levels[0].draw_noise(SEED, len(images))
    _, estimate = stack.levels[0].discriminator(images, training=True)
    assert float(losses.entropy_loss(estimate, z)) == pytest.approx(1 / 12, abs=0.01)
    assert np.ptp(estimate.numpy()) > 0  # yet it hears the trunk, from which its gradients reach G


def test_without_the_entropy_loss_q_is_not_trained(small_stack, sgd):
    _, stack, batch = small_stack(overrides=["levels.0.loss.lambda_ent=0"])
    level = stack.levels[0]
    level.compile(*sgd())
    before = values(level.discriminator.posterior.variables)
    level.train_on_batch(*level_data(batch, 0))
    assert not any(changed(before, level.discriminator.posterior.variables))


def test_a_level_without_discriminator_losses_trains_g_alone(small_stack, sgd):
    _, stack, batch = small_stack(
        overrides=["levels.0.loss.lambda_ent=0", "levels.0.loss.lambda_adv=0"]
    )
    for model, data in ((stack.levels[0], level_data(batch, 0)), (stack, stack_data(batch))):
        model.compile(*sgd())
        before_d, before_g = (
            values(stack.levels[0].discriminator.variables),
            values(stack.levels[0].generator_variables()),
        )
        model.fit(tf.data.Dataset.from_tensors(data), verbose=0)
        assert not any(changed(before_d, stack.levels[0].discriminator.variables))
        assert all(changed(before_g, stack.levels[0].generator_variables()))


@pytest.mark.slow
def test_class_aware_discriminator_learns_the_labels(small_stack):
    _, stack, batch = small_stack(overrides=["levels.1.loss.adversarial=class_logits"], batch=64)
    level = stack.levels[1]
    data = level_data(batch, 1)
    level.compile(keras.optimizers.Adam(1e-2), keras.optimizers.SGD(0.0))
    rows, label = level.batch(*data), level.reported.index("label_1")
    first = float(level.discriminator_step(rows)[label])
    for _ in range(150):
        last = float(level.discriminator_step(rows)[label])
    assert last < 0.7 * first


@pytest.mark.slow
@pytest.mark.parametrize("joint", [False, True])
def test_the_adaptive_schedule_sets_the_number_of_generator_steps(small_stack, joint, monkeypatch):
    _, stack, batch = small_stack(
        overrides=["levels.0.optimizer.adaptive_steps=true", "joint.optimizer.adaptive_steps=true"]
    )
    level = (stack.levels[0], level_data(batch, 0))
    model, data = (stack, stack_data(batch)) if joint else level
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    seed = step_seed(model.noise_seed, 0, model.discriminator_optimizer.iterations)
    _, report = model.discriminator_objective(model.batch(*data), seed)
    expected = int(losses.adaptive_generator_steps(report["d_loss_0"]))
    model.fit(tf.data.Dataset.from_tensors(data), verbose=0)
    assert int(model.discriminator_optimizer.iterations) == 1
    assert int(model.generator_optimizer.iterations) == expected
    monkeypatch.setattr("sgan_tf.models.losses.GENERATOR_STEPS", ((100.0, 1),))
    model.make_train_function(force=True)
    before = int(model.generator_optimizer.iterations)
    model.fit(tf.data.Dataset.from_tensors(data), verbose=0)
    assert int(model.generator_optimizer.iterations) == before + 7


@pytest.mark.slow
@pytest.mark.parametrize("adaptive", [False, True])
def test_fit_trains_on_every_batch_whatever_the_steps_of_one_call(small_stack, sgd, adaptive):
    _, stack, batch = small_stack(overrides=[f"levels.0.optimizer.adaptive_steps={adaptive}"])
    level, data = stack.levels[0], level_data(batch, 0)
    batches = tf.data.Dataset.from_tensors(data).repeat(10)
    ends = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: seen.append(step))
    for steps, calls in ((1, 10), (5, 2), (4, 3)):
        level.compile(*sgd(), steps_per_execution=steps)
        seen = []
        level.fit(batches, verbose=0, callbacks=[ends])
        assert int(level.discriminator_optimizer.iterations) == 10 and len(seen) == calls


@pytest.mark.parametrize("adaptive", [False, True])
def test_run_eagerly(small_stack, sgd, adaptive, monkeypatch):
    _, stack, batch = small_stack(overrides=[f"levels.0.optimizer.adaptive_steps={adaptive}"])
    level, eager = stack.levels[0], []
    plain = level.discriminator_step

    def watched(rows):
        eager.append(tf.executing_eagerly())
        return plain(rows)

    monkeypatch.setattr(level, "discriminator_step", watched)
    level.compile(*sgd(), run_eagerly=True)
    level.fit(tf.data.Dataset.from_tensors(level_data(batch, 0)).repeat(2), verbose=0)
    assert eager == [True, True]


@pytest.mark.parametrize(("watch", "expected"), [("bottom", 0.6), ("least", 0.2)])
def test_the_joint_schedule_watches_d_0_or_the_least_of_all(small_stack, watch, expected):
    _, stack, _ = small_stack(overrides=[f"joint.adaptive_watch={watch}"])
    losses_of_d = {"d_loss_0": 0.6, "d_loss_1": 0.2}
    numbers = tf.constant([losses_of_d.get(name, 0.0) for name in stack.reported])
    assert float(stack.watched(numbers)) == pytest.approx(expected)


def test_a_fixed_number_of_generator_steps(small_stack, sgd):
    _, stack, batch = small_stack(overrides=["levels.0.optimizer.generator_steps=3"])
    level = stack.levels[0]
    level.compile(*sgd())
    level.train_on_batch(*level_data(batch, 0))
    assert [int(o.iterations) for o in level.optimizers().values()] == [1, 3]


def gradients_of_joint_step(stack, batch, variables):
    with tf.GradientTape() as tape:
        objective, _ = stack.generator_objective(stack.batch(*stack_data(batch)), SEED)
    return [np.asarray(g) for g in tape.gradient(objective, [v.value for v in variables])]


def test_an_upper_generator_adds_lower_weight_times_the_objective_below(small_stack):
    """d J_1 = d L_G1 + w d L_G0 is affine in w; w = 0 leaves L_G1; G_0 does not see w."""
    by_weight = {}
    for weight in (0.0, 0.01, 1.0):
        _, stack, batch = small_stack(
            overrides=[
                f"joint.lower_weight={weight}",
                "levels.0.discriminator.input_noise=0",
                "levels.1.discriminator.input_noise=0",
            ]
        )
        by_weight[weight] = [
            gradients_of_joint_step(stack, batch, level.generator_variables())
            for level in stack.levels
        ]
    for low, middle, high in zip(*(by_weight[w][0] for w in (0.0, 0.01, 1.0))):
        np.testing.assert_allclose(low, high, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(low, middle, rtol=1e-3, atol=1e-6)
    for low, middle, high in zip(*(by_weight[w][1] for w in (0.0, 0.01, 1.0))):
        np.testing.assert_allclose(middle, low + 0.01 * (high - low), rtol=1e-3, atol=1e-5)
    assert (
        max(np.abs(high - low).max() for low, high in zip(by_weight[0.0][1], by_weight[1.0][1]))
        > 1e-4
    )


def test_the_class_of_the_whole_chains_image_is_a_loss_of_the_joint_stage(small_stack):
    """`lambda_class` times the cross-entropy of E's class of the image; w = 0 keeps it from G_1."""
    objectives, gradients = {}, {}
    for weight in (0.0, 3.0):
        overrides = [f"joint.lambda_class={weight}", "joint.lower_weight=0"]
        _, stack, batch = small_stack(overrides=overrides)
        objectives[weight], report = stack.generator_objective(
            stack.batch(*stack_data(batch)), SEED, training=False
        )
        variables = [level.generator_variables()[0] for level in stack.levels]
        gradients[weight] = gradients_of_joint_step(stack, batch, variables)
        assert set(report) <= set(stack.reported)
    labels = batch[1]
    noise = [level.draw_noise(SEED, len(labels)) for level in stack.levels]
    logits = np.asarray(stack.encoder.features(stack.decode(labels, noise))[-1])
    expected = np.mean(np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(labels)), labels])
    assert float(report["class"]) == pytest.approx(expected, rel=1e-4)
    assert float(objectives[3.0] - objectives[0.0]) == pytest.approx(3 * expected, rel=1e-3)
    (image_without, upper_without), (image_with, upper_with) = gradients.values()
    assert np.abs(image_with - image_without).max() > 1e-3
    np.testing.assert_allclose(upper_with, upper_without, rtol=1e-3, atol=1e-6)


class Witness(keras.Model):
    """A D that writes down which condition it is given with each h."""

    def __init__(self, z_dim, separate_rows):
        super().__init__()
        self.separate_rows, self.seen = separate_rows, []
        self.flatten = keras.layers.Flatten()
        self.logit, self.posterior = keras.layers.Dense(1), keras.layers.Dense(z_dim)

    def call(self, h, condition=None, training=False):
        if condition is not None:
            self.seen += [(np.asarray(a), np.asarray(b)) for a, b in zip(h, condition)]
        features = self.flatten(h)
        return self.logit(features), self.posterior(features)


def penalty_of_both(discriminate, real, fake):
    return tf.reduce_mean(discriminate(real)) - tf.reduce_mean(discriminate(fake, generated=True))


@pytest.mark.parametrize("separate_rows", [False, True])
@pytest.mark.parametrize("game", ["binary", "relativistic"])
def test_in_joint_training_real_features_come_with_the_encoders_condition(
    small_stack, game, separate_rows
):
    settings = [f"levels.{i}.loss.adversarial={game}" for i in range(2)]
    _, stack, batch = small_stack(overrides=[*settings, "levels.0.loss.regularizers.r1=1"])
    levels = []
    rng = np.random.default_rng(0)
    for level in stack.levels:
        for variable in level.generator.trainable_variables:  # rows far from one another
            variable.assign(rng.normal(0, 0.5, variable.shape))
        witness = Witness(level.config.z_dim, separate_rows)
        level.config.loss.regularizers = {"r1": 1.0, "both": 1.0}
        networks, place = (level.generator, witness, level.stage), (level.index, level.num_classes)
        levels.append(
            LevelGAN(*networks, level.config, *place, regularizers={"both": penalty_of_both})
        )
    stack = StackedGAN(stack.encoder, levels)
    rows = stack.batch(*stack_data(batch))
    labels = levels[1].condition(batch[1])
    noise = [level.draw_noise(SEED, len(labels)) for level in levels]
    (images, fake_1), (features, _) = stack.chain(labels, noise)
    for level, real, above, fake, given in (
        (levels[0], rows.reals[0], rows.reals[1], images, fake_1),
        (levels[1], rows.reals[1], labels, features, labels),
    ):
        expected = [(h, c) for h, c in zip(np.asarray(real), np.asarray(above))]
        generated = [(h, c) for h, c in zip(np.asarray(fake), np.asarray(given))]
        for objective, times, real_times in (
            (stack.discriminator_objective, 2, 3),  # the loss and "both"; R1 at the real rows too
            (stack.generator_objective, 1, int(game == "relativistic")),
        ):
            level.discriminator.seen.clear()
            objective(rows, SEED, training=False)
            found = level.discriminator.seen
            assert len(found) == len(labels) * (times + real_times)
            for pairs, count in ((expected, real_times), (generated, times)):
                for h, condition in pairs:
                    near = dict(rtol=1e-4, atol=1e-3)  # rows are far from one another
                    beside = [c for x, c in found if np.allclose(x, h, **near)]
                    assert len(beside) == count
                    np.testing.assert_allclose(beside, [condition] * count, **near)


def test_variations_share_h_1(small_stack):
    _, stack, batch = small_stack()
    noise = stack.noise(2, seed=3)
    (images, h_1), _ = batch
    expected = stack.decode(np.repeat(h_1[:1], 2, 0), noise, top=0)
    np.testing.assert_array_equal(stack.variations(images[:1], 2, seed=3)[0], expected)


def test_numbers_and_levels_that_cannot_be(small_stack):
    _, stack, _ = small_stack()
    noise = stack.noise(8, seed=3)
    cases = {
        r"level must be .* not 2": lambda: stack.features([1] * 8, noise, 2),
        r"noise\[0\] has 8 rows, but there are 2": lambda: stack.features([1, 2], noise, 1),
        r"labels must lie in": lambda: stack.features([10] * 8, noise, 1),
        r"seed must be .*, not 18446744073709551616": lambda: stack.sample([1], seed=2**64),
        r"count must be .* not -1": lambda: stack.noise(-1),
    }
    for message, call in cases.items():
        with pytest.raises(ValueError, match=message):
            call()
