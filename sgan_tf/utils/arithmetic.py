"""How TensorFlow computes in this process: it is told so here, and says so."""

import os

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # read by TensorFlow when it is imported
ONEDNN_SIDE = 16  # of images in pixels, from which on its kernels are the faster ones
_chosen: dict[str, bool] = {}  # by `set_arithmetic`: TensorFlow does not tell all of it


def prefer_onednn(side: int = ONEDNN_SIDE) -> None:
    """Turns oneDNN's kernels on where they are the faster ones, unless the environment chooses.

    TensorFlow leaves them off on CPUs without AVX-512, where they train nearly twice as fast as its
    own on 32 x 32 pixels, and take 1.2 times as long on 8 x 8. To be called before TensorFlow
    is imported.

    Args:
        side: Of the images, in pixels.
    """
    if side >= ONEDNN_SIDE:
        os.environ.setdefault(ONEDNN, "1")


def set_arithmetic(deterministic: bool = True, tf32: bool = True, jit: bool = False) -> None:
    """Tells TensorFlow how to compute in this process.

    Args:
        deterministic: By kernels without races, which the same results bit for bit need.
        tf32: Float32 products in TF32, of 10 bits of mantissa, on GPUs that have it.
        jit: Clusters of operations compiled by XLA, on GPUs alone.
    """
    import tensorflow as tf

    if deterministic:
        tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(tf32)
    tf.config.optimizer.set_jit("autoclustering" if jit else False)
    _chosen.update(deterministic=deterministic, tf32=tf32, jit=jit)


def arithmetic() -> dict[str, str]:
    """Returns how this process computes, `{name: "on" or "off"}`, as far as it was chosen.

    Without GPUs `tf32` and `jit` change nothing and are left out; with them `onednn` is.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    chosen = dict(_chosen)
    if ONEDNN in os.environ:
        chosen["onednn"] = os.environ[ONEDNN].lower() not in ("0", "false")
    names = ("deterministic", "tf32", "jit") if gpus else ("deterministic", "onednn")
    return {name: "on" if chosen[name] else "off" for name in names if name in chosen}
