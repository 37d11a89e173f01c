"""Show what each layer of a run's encoder keeps of images, and what it ignores.

    sgan-inspect --run_dir runs/mnist --images seven.png photos/*.png

draws, for each image and layer, images x' that share what the layer holds of it, h, and differ in
what it ignores: inspect.png. A table and inspect.json say, of test images, how well h is kept:
relative error, of E(x') against h, beside that of unrelated images; the same class, in the eyes of
E; and how widely x' vary. Of the label, E(x') are the probabilities of the classes.
"""

import dataclasses
import pathlib

from absl import flags

from sgan_tf.cli import app, image_flags, logs, out_flag, startup
from sgan_tf.data.decoding import RESIZES
from sgan_tf.errors import DataError, shown

FLAGS = flags.FLAGS
SETTINGS = ("images", "resize", "draws", "count", "seed", "originals")  # that inspect.json records
HELD_OUT_DRAWS = 2  # per test image: the fewest that have a variance


def define_flags() -> None:
    image_flags.define_place_flags()
    flags.adopt_module_key_flags(image_flags)
    flags.DEFINE_string("run_dir", None, "a run folder whose levels are trained", required=True)
    flags.DEFINE_multi_string(
        "images", [], "image files to draw; more may follow as plain words, as a*.png gives them"
    )
    flags.DEFINE_enum(
        "resize",
        None,
        RESIZES,
        "what is done to images that are not square: crop to the centre, pad with white, or "
        "squash; by default what the run did to its own, else crop",
    )
    flags.DEFINE_integer("draws", 6, "images drawn for each image and layer", lower_bound=2)
    flags.DEFINE_integer(
        "count", 500, "test images to measure on; where there are none, on --images", lower_bound=2
    )
    flags.DEFINE_integer("seed", 0, "of the noise")
    flags.DEFINE_bool(
        "originals",
        True,
        "draw --images themselves too; --nooriginals draws generated images alone, for "
        "where those may not be shown",
    )
    flags.DEFINE_string(
        "out",
        None,
        "picture to write, .png, .jpg or .webp, and its numbers beside it as .json; by default "
        "inspect.png in the run folder",
    )


def inspect() -> None:
    from sgan_tf.runs.resume import read_config
    from sgan_tf.runs.run import Run

    # Check the flags before TensorFlow is imported.
    config, run = read_config(FLAGS.run_dir), Run(FLAGS.run_dir)
    out, images = _out(run), _read(run.data())
    startup.import_tensorflow()
    from sgan_tf.evaluation import figures
    from sgan_tf.evaluation.inspection import inspect_layers
    from sgan_tf.evaluation.layer_scores import caption, markdown, save
    from sgan_tf.saving.load import load_run
    from sgan_tf.utils.images import encoded

    stack = load_run(FLAGS.run_dir)
    test_images, measured_on = _held_out(config, run)
    layers = inspect_layers(stack, images, FLAGS.draws, FLAGS.seed)
    scores = _scores(stack, test_images, layers, config.cuts)
    print(f"measured on {measured_on}\n\n{markdown(scores)}", flush=True)
    captions = [caption(score) for score in scores]
    facts = {
        "run": str(run.path),
        "weights": run.weights(config),
        "settings": {name: FLAGS[name].value for name in SETTINGS},
        "measured_on": measured_on,
        "captions": captions,
        "layers": [dataclasses.asdict(score) for score in scores],
    }
    picture = figures.layers(images if FLAGS.originals else None, layers, captions)
    save(out, facts, encoded(picture, out.suffix.lower()))
    print(f"{out}\n{out.with_suffix('.json')}")


def _out(run):
    """Returns the path of the picture; only files of an earlier inspection may be overwritten."""
    from sgan_tf.evaluation.layer_scores import PICTURE, read_facts

    out = out_flag.picture_path(FLAGS.out) if FLAGS.out else run.path / PICTURE
    for path in (out, out.with_suffix(".json")):
        if path.exists() and read_facts(out) is None:
            raise app.UsageError(
                f"--out: {path} is there, and no earlier sgan-inspect wrote it; choose another name"
            )
    return out


def _read(data):
    """Returns the images of --images, uint8 `[N, H, W, C]`, in the shape of the run's images."""
    from sgan_tf.data.decoding import read_images, with_channels

    paths = [pathlib.Path(name).expanduser() for name in FLAGS.images]
    if not paths:
        raise app.UsageError("--images: name one image file or more")
    resize = FLAGS.resize or data.get("reading", {}).get("resize", "crop")
    side, _, channels = data["image_shape"]
    read, faults = read_images(paths, side, resize)
    if faults:
        names = ", ".join(f"{shown(paths[number])} ({why})" for number, why in faults.items())
        raise app.UsageError(f"--images: cannot read {names}")
    return with_channels(read, channels)


def _held_out(config, run):
    """Returns --count random test images and their description; None and why if there are none."""
    import numpy as np

    try:
        dataset = image_flags.load_again(config, run)
    except DataError as error:
        if FLAGS.data_dir or FLAGS.download:
            raise
        return None, f"the images given alone, as there are no test images ({error.for_flags()})"
    order = np.random.default_rng(FLAGS.seed).permutation(len(dataset.test_images))[: FLAGS.count]
    return dataset.test_images[order], f"{len(order):,} test images of {dataset.name}"


def _scores(stack, test_images, layers, cuts):
    """Returns the `LayerScores` of each condition, with the name of its layer in the encoder."""
    from sgan_tf.evaluation.inspection import score_layers

    if test_images is None:
        scores = [layer.scores for layer in layers]
    else:
        progress = logs.progress("test images")
        scores = score_layers(stack, test_images, HELD_OUT_DRAWS, FLAGS.seed, progress)
    *features, label = scores
    pairs = zip(features, cuts, strict=True)
    return [*(dataclasses.replace(s, name=f"{s.name} ({cut})") for s, cut in pairs), label]


def main() -> None:
    define_flags()
    app.run(inspect, words="images")


if __name__ == "__main__":
    main()
