"""Floating-point operations of a training step, counted in its graph."""

import tensorflow as tf

PRODUCTS = [  # what takes nearly all of them; a multiplication and an addition are two
    "^Conv2D$",
    "^Conv2DBackpropInput$",
    "^Conv2DBackpropFilter$",
    "^MatMul$",
    "^BatchMatMul.*$",
]


def update_flop(model: tf.keras.Model, inputs: list, labels) -> int:
    """Returns the FLOP of one update: of a level or a stack, one of D and one of G.

    Args:
        model: A compiled `Encoder`, `LevelGAN` or `StackedGAN`.
        inputs: A batch of what it is trained on, a list of arrays.
        labels: Integers `[N]`.
    """
    x, y = [tf.constant(part) for part in inputs], tf.constant(labels)
    update = tf.function(lambda: model.update(x[0] if len(x) == 1 else x, y))
    return graph_flop(update.get_concrete_function().graph)


def graph_flop(graph: tf.Graph) -> int:
    """Returns the FLOP of the convolutions and matrix products of a graph of known shapes."""
    profiler = tf.compat.v1.profiler
    options = (
        profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
        .with_accounted_types(PRODUCTS)
        .with_empty_output()
        .build()
    )
    logger = tf.get_logger()  # the profiler warns of itself
    level = logger.level
    logger.setLevel("ERROR")
    try:
        return profiler.profile(graph, cmd="op", options=options).total_float_ops
    finally:
        logger.setLevel(level)
