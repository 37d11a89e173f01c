"""What a training step computes, and what it need not: counts of operations in its graph."""

import pytest
import tensorflow as tf
from shared import RECIPE


@pytest.fixture
def level(small_stack):
    """Makes a level 0, its compiled model and a batch: `(level, (h_0, h_1), labels)`."""

    def make(overrides=(), precision="float32"):
        _, stack, (reals, labels) = small_stack(overrides=overrides, precision=precision)
        stack.levels[0].compile()
        return stack.levels[0], [tf.constant(h) for h in reals], tf.constant(labels)

    return make


def operations(function):
    """What runs of a function's graph: what its results and its assignments need."""
    graph = tf.function(function, autograph=False).get_concrete_function().graph
    found, needed = set(), [*(x.op for x in graph.outputs), *graph.control_outputs]
    while needed:
        op = needed.pop()
        if op not in found:
            found.add(op)
            needed += [*(x.op for x in op.inputs), *op.control_inputs]
    return found


def kernels(variables, rank):
    return sum(len(v.shape) == rank for v in variables)


def test_gradients_of_weights_are_those_that_the_step_updates(level):
    model, x, y = level(
        ["levels.0.discriminator.batch_norm=false"]
    )  # else D passes real rows by themselves
    batch = model.batch(x, y)
    for step, variables in (
        (model.discriminator_step, model.discriminator_variables()),
        (model.generator_step, model.generator_variables()),
    ):
        graph = operations(lambda step=step: step(batch))
        filters = [op for op in graph if op.type == "Conv2DBackpropFilter"]
        matrices = [op for op in graph if op.type == "MatMul" and op.get_attr("transpose_a")]
        assert len(filters) == kernels(variables, 4) > 0
        assert len(matrices) == kernels(variables, 2) > 0


def test_features_that_are_given_are_not_computed_again(level):
    model, x, y = level()

    def convolutions(x):
        graph = operations(lambda: model.update(x, y))
        return sum(op.type == "Conv2D" for op in graph)

    assert convolutions(x[0]) - convolutions(x) == 2  # conv1 and conv2 of E


@pytest.mark.parametrize(("batch_norm", "passes"), [(False, 1), (True, 2)])
def test_real_and_generated_rows_pass_d_together_where_no_row_depends_on_others(
    level, batch_norm, passes
):
    model, x, y = level([f"levels.0.discriminator.batch_norm={batch_norm}"])
    batch = model.batch(x, y)
    graph = operations(lambda: model.discriminator_step(batch))
    inside = kernels(model.discriminator.trainable_variables, 4)
    assert sum(op.type == "Conv2D" for op in graph) == passes * inside


def float_casts(model, x, y):
    casts = [op for op in operations(lambda: model.update(x, y)) if op.type == "Cast"]
    return [
        op for op in casts if op.inputs[0].dtype.is_floating and op.outputs[0].dtype.is_floating
    ]


@pytest.mark.parametrize("overrides", [(), RECIPE])
def test_nothing_is_cast_between_floats_in_float32(level, overrides):
    assert not float_casts(*level(overrides))


@pytest.mark.parametrize("overrides", [(), RECIPE])
def test_nothing_is_cast_twice_in_bfloat16(level, overrides):
    casts = float_casts(*level(overrides, "bfloat16"))
    assert casts and not [op.name for op in casts if op.inputs[0].op.type == "Cast"]
