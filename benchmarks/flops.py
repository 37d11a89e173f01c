"""Counts the floating-point operations of a training step in its graph."""

import tensorflow as tf

PRODUCTS = [  # they take nearly all operations; a multiplication and an addition count as two
    "^Conv2D$",
    "^Conv2DBackpropInput$",
    "^Conv2DBackpropFilter$",
    "^MatMul$",
    "^BatchMatMul.*$",
]


def update_flop(model: tf.keras.Model, inputs: list, labels) -> int:
    """Counts the FLOP of one update. For a level or a stack, it is one update of D and one of G.

    Args:
        model: `Encoder`, `LevelGAN` or `StackedGAN`, compiled.
        inputs: List of `np.ndarray`. A batch of the model's training inputs.
        labels: Integer array `[N]`.

    Returns:
        Integer.
    """
    x, y = [tf.constant(part) for part in inputs], tf.constant(labels)
    update = tf.function(lambda: model.update(x[0] if len(x) == 1 else x, y))
    return graph_flop(update.get_concrete_function().graph)


def graph_flop(graph: tf.Graph) -> int:
    """Counts the FLOP of the convolutions and matrix products of a graph.

    Args:
        graph: `tf.Graph` whose shapes are known.

    Returns:
        Integer.
    """
    profiler = tf.compat.v1.profiler
    options = (
        profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
        .with_accounted_types(PRODUCTS)
        .with_empty_output()
        .build()
    )
    logger = tf.get_logger()  # the profiler logs warnings about itself
    level = logger.level
    logger.setLevel("ERROR")
    try:
        return profiler.profile(graph, cmd="op", options=options).total_float_ops
    finally:
        logger.setLevel(level)
