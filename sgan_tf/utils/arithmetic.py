"""Sets and reports how TensorFlow computes in this process."""

import os

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # read by TensorFlow when it is imported
ONEDNN_SIDE = 16  # least side of images, in pixels, for which its kernels are faster
_settings: dict[str, bool] = {}  # of `set_arithmetic`; TensorFlow cannot report all of them


def prefer_onednn(side: int = ONEDNN_SIDE) -> None:
    """Enables oneDNN's kernels for images on which they are faster.

    TensorFlow leaves them off on CPUs without AVX-512. There they train nearly twice as fast as
    TensorFlow's own kernels on 32 x 32 pixels, and take 1.2 times as long on 8 x 8. Call this
    before TensorFlow is imported. It changes nothing if the environment sets
    `TF_ENABLE_ONEDNN_OPTS`.

    Args:
        side: Integer. Side of the images, in pixels. Defaults to `ONEDNN_SIDE`.
    """
    if side >= ONEDNN_SIDE:
        os.environ.setdefault(ONEDNN, "1")


def set_arithmetic(deterministic: bool = True, tf32: bool = True, jit: bool = False) -> None:
    """Sets how TensorFlow computes in this process.

    Args:
        deterministic: Boolean. Use kernels without races, so that results are the same bit for bit.
            Defaults to True.
        tf32: Boolean. Compute float32 products in TF32, with 10 bits of mantissa, on GPUs that have
            it. Defaults to True.
        jit: Boolean. Compile clusters of operations with XLA. It only affects GPUs. Defaults to
            False.
    """
    import tensorflow as tf

    if deterministic:
        tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(tf32)
    tf.config.optimizer.set_jit("autoclustering" if jit else False)
    _settings.update(deterministic=deterministic, tf32=tf32, jit=jit)


def arithmetic() -> dict[str, str]:
    """Returns the arithmetic settings of this process.

    Settings that were never set are left out. So are `tf32` and `jit` if there is no GPU, as they
    have no effect then, and `onednn` if there is one.

    Returns:
        Dictionary `{name: "on" or "off"}`.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    settings = dict(_settings)
    if ONEDNN in os.environ:
        settings["onednn"] = os.environ[ONEDNN].lower() not in ("0", "false")
    names = ("deterministic", "tf32", "jit") if gpus else ("deterministic", "onednn")
    return {name: "on" if settings[name] else "off" for name in names if name in settings}
