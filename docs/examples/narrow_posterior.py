"""Gives a trained run a narrower D_0 and Q_0, so that what `sgan_tf.save` writes of it is smaller.

    python docs/examples/narrow_posterior.py --run_dir runs/cifar10 --out runs/narrow

A saved stack holds E, the generators and Q; Q_0 shares all but its last layer with D_0, which is
wide so that G_0 trains well. Here G_0 is left as it is, and a new Q_0 learns from its samples to
infer z_0, Eq. (7). The new run has the old one's weights but for D_0 and Q_0, and the D_0 in it is
not trained: it is for saving and exporting, not for training on.
"""

import argparse
import copy
import pathlib

import keras
import numpy as np
import tensorflow as tf

import sgan_tf
from sgan_tf.models.layers.spectral import spectral_layers
from sgan_tf.models.losses import entropy_loss
from sgan_tf.runs.checkpoint import named_arrays

GROUP = "discriminator0"  # of a checkpoint: D_0 and Q_0
NOTES = """\
These stages were trained with a D_0 of widths {before}. The narrower D_0 and Q_0 of
`config.json` were trained afterwards, on the samples of the finished G_0, to keep the saved stack
small; D_0 is not for training on.
"""


def narrow_posterior(stack, widths, steps, batch=128):
    """Returns the configuration of a narrower D_0, and such a D_0 whose Q_0 was trained anew."""
    config = copy.deepcopy(stack.recipe)
    config.levels[0].discriminator.channels = widths
    _, narrow = sgan_tf.build(config, stack.encoder.image_shape, stack.class_names)
    posterior = narrow.levels[0].discriminator
    weights = posterior.trunk.trainable_variables + posterior.posterior.trainable_variables
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps))
    optimizer.build(weights)

    @tf.function
    def step(labels, *noise):
        for layer in spectral_layers(posterior.trunk):
            layer.iterate()
        condition = tf.one_hot(labels, len(stack.class_names))
        images = stack.chain(condition, noise)[0][0]
        with tf.GradientTape() as tape:
            loss = entropy_loss(posterior.estimate_noise(images), noise[0])
        optimizer.apply(tape.gradient(loss, [w.value for w in weights]), weights)
        return loss

    rng, losses = np.random.default_rng(0), []
    for i in range(steps):
        labels = rng.integers(0, len(stack.class_names), batch)
        losses.append(float(step(tf.constant(labels), *stack.noise(batch, 1, i * batch))))
        if (i + 1) % 500 == 0:
            print(f"{i + 1} steps: L_ent {np.mean(losses[-500:]):.4f}", flush=True)
    return config, posterior


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run_dir", required=True, help="a trained run")
    parser.add_argument("--out", required=True, help="the new run folder, which must not exist")
    parser.add_argument("--widths", default="32,64,64,128,128", help="of D_0's convolutions")
    parser.add_argument("--steps", type=int, default=5000)
    arguments = parser.parse_args()
    if pathlib.Path(arguments.out).exists():
        parser.error(f"--out: {arguments.out} exists; choose another folder")
    old, stack = sgan_tf.Run(arguments.run_dir), sgan_tf.load(arguments.run_dir)
    widths = [int(width) for width in arguments.widths.split(",")]
    before = ", ".join(map(str, stack.recipe.levels[0].discriminator.channels))
    config, posterior = narrow_posterior(stack, widths, arguments.steps)
    narrow = named_arrays({GROUP: posterior.variables})
    new = sgan_tf.Run.open(arguments.out, config)
    for name in ("data.json", "encoder.json", "metrics.jsonl", "versions.json"):
        new.write(name, (old.path / name).read_bytes())
    noted = old.path / "notes.md"
    notes = noted.read_text(encoding="utf-8") + "\n" if noted.exists() else ""
    new.write("notes.md", notes + NOTES.format(before=before))
    for stage in config.stages():
        _, arrays = old.checkpoint(stage).read()
        kept = {k: a for k, a in arrays.items() if not k.startswith(f"{GROUP}/")}
        arrays = kept | (narrow if len(kept) < len(arrays) else {})
        new.checkpoint(stage).take(arrays, old.progress(stage).step, config.to_json())
    new.close()


if __name__ == "__main__":
    main()
