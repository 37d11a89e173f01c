"""Sample images from a trained stack: one that comes with the package, a run, or an export.

    sgan-sample --model digits --label 3,7 --count 64 --seed 1 --out digits.png
    sgan-sample --run_dir runs/mnist --count 1000 --out mnist.npz
    sgan-sample --model digits --count 1000000 --format tfrecord --shard 3/8 --out samples/

The file's ending says what it is: .png, .jpg or .webp, a picture with rows of one label each, or of
more than 20 labels a plain grid; .npz, with the arrays images and labels; .tfrecord, with image
(PNG), label and number in each example. With --format, --out is a folder of shards; each is written
whole, and those that are there are left as they are, so the same command goes on where it was
stopped. Image i of a seed is the same in every shard, file and picture.
"""

import pathlib
import re

from absl import flags

from sgan_tf.cli import app, logs, startup
from sgan_tf.errors import UserError

FLAGS = flags.FLAGS
COLUMNS = 16  # most columns of a picture
MOST = 10_000  # most images of a picture
SOURCES = ("model", "run_dir", "export")
FORMATS = ("png", "npz", "tfrecord")
GROUPS = {
    "what samples": SOURCES,
    "samples": ("label", "labels", "count", "seed"),
    "where they go": ("out", "format", "shard"),
}


def define_flags() -> None:
    flags.DEFINE_string(
        "model",
        None,
        "a stack that comes with the package, as digits; a folder written by sgan_tf.save; or "
        "hf://user/name",
    )
    flags.DEFINE_string("run_dir", None, "a run folder whose levels are trained")
    flags.DEFINE_string("export", None, "an export's folder, as exports/mnist")
    flags.DEFINE_string(
        "label",
        "uniform",
        "names or numbers of classes, with commas between them: the images have them in turn; "
        "uniform: all classes in turn; frequencies: at random, as frequent as in training",
    )
    flags.DEFINE_alias("labels", "label")
    flags.DEFINE_integer("count", 64, "images in all", lower_bound=1, upper_bound=2**40)
    flags.DEFINE_integer(
        "seed", 0, "the same seed gives the same images", lower_bound=0, upper_bound=2**31 - 1
    )
    flags.DEFINE_string("out", "samples.png", "file, or with --format the folder, to write")
    flags.DEFINE_enum(
        "format",
        None,
        FORMATS,
        "of the files in the folder --out: png, one an image in a folder a shard; npz; tfrecord",
    )
    flags.DEFINE_string(
        "shard",
        "all/1",
        "with --format: I/N writes shard I, from 0, of the N that the images are divided into; "
        "all/N all that are missing",
    )


def sample() -> None:
    from sgan_tf.utils.images import FORMATS as PICTURES

    # Check the flags before TensorFlow is imported.
    out, source = pathlib.Path(FLAGS.out), _source()
    shards, which = _shards()
    kind = FLAGS.format or out.suffix.lower().removeprefix(".")
    if FLAGS.format is None:
        _check_file(out, PICTURES, [".npz", ".tfrecord"])
    startup.import_tensorflow()

    from sgan_tf.sampling import bulk

    stack = _load(source)
    labels = _labels(stack)
    bar = logs.progress("sampling")

    def draw(rows):
        return bar(bulk.Blocks(stack, labels, FLAGS.seed, rows))

    if FLAGS.format:
        request = {"source": _facts_and_digest(stack)[1], "labels": FLAGS.label, "seed": FLAGS.seed}
        request["count"] = FLAGS.count
        for path, count in bulk.write_shards(out, kind, request, shards, which, draw):
            print(f"{path}: {count:,} images" if count else f"{path}: is there already")
        return
    rows = range(FLAGS.count)
    if out.suffix.lower() in PICTURES:
        _write_picture(out, list(draw(rows)), stack.class_names)
    else:
        bulk.write_file(out, kind, draw(rows), len(rows))
    print(f"{out}: {FLAGS.count:,} images")


def _source():
    """Returns the name of the one flag in `SOURCES` that is set."""
    sources = [name for name in SOURCES if FLAGS[name].value is not None]
    if len(sources) != 1:
        flags_ = ", ".join(f"--{name}" for name in SOURCES)
        raise app.UsageError(
            f"--{sources[1]}: --{sources[0]} says what samples already"
            if sources
            else f"--model: one of {flags_} has to say what samples"
        )
    return sources[0]


def _shards():
    """Returns the number of shards, and the indices of the shards to write."""
    if FLAGS["shard"].present and not FLAGS.format:
        raise app.UsageError("--shard: is for folders of shards; add --format")
    match = re.fullmatch(r"(all|\d+)/(\d+)", FLAGS.shard)
    index, shards = match.groups() if match else ("", 0)
    which = range(int(shards)) if index == "all" else [int(index or 0)]
    if not 0 < int(shards) <= FLAGS.count or max(which) >= int(shards):
        raise app.UsageError(
            f"--shard: '{FLAGS.shard}' is neither I/N, I from 0 to N - 1, nor all/N, of at most "
            f"as many shards as there are images ({FLAGS.count:,})"
        )
    return int(shards), which


def _check_file(out, pictures, arrays):
    suffixes = [*pictures, *arrays]
    if out.suffix.lower() in pictures and FLAGS.count > MOST:
        raise app.UsageError(
            f"--count: a picture holds at most {MOST:,} images; write {' or '.join(arrays)}, or "
            "add --format"
        )
    if out.suffix.lower() not in suffixes:
        raise app.UsageError(
            f"--out: '{out}' does not end with one of {', '.join(suffixes)}; --format makes a "
            "folder"
        )
    if not out.parent.is_dir():
        raise app.UsageError(f"--out: '{out}' cannot be written; there is no folder {out.parent}")
    if out.is_dir():
        raise app.UsageError(f"--out: '{out}' is a folder; add --format, or name a file")


def _load(source):
    from sgan_tf.saving.load import load, load_run
    from sgan_tf.saving.saved_model import SavedModelSampler, find

    value = getattr(FLAGS, source)
    if source == "run_dir":
        return load_run(value)
    if source == "model":
        try:
            return load(value)
        except UserError as error:  # which may name the parameter of `load`, or of `load_run`
            raise app.UsageError(re.sub("^`(source|run_dir)`", "`model`", str(error))) from error
    export = find(value)
    if not export:
        raise app.UsageError(f"--export: {value} holds no SavedModel; export.py writes one")
    return SavedModelSampler(export)


def _labels(stack):
    """Returns the function that gives the labels of a block."""
    from sgan_tf.sampling import bulk

    names = stack.class_names
    if FLAGS.label == "uniform":
        return bulk.labels_in_turn(range(len(names)))
    if FLAGS.label == "frequencies":
        evaluation = _facts_and_digest(stack)[0].get("metrics", {}).get("evaluation", {})
        if "class_counts" not in evaluation:
            raise app.UsageError(
                "--label: how frequent the classes were in training is not known; evaluate.py "
                "records it in a run"
            )
        return bulk.labels_as_frequent(evaluation["class_counts"], FLAGS.seed)
    return bulk.labels_in_turn([_label(word, names) for word in FLAGS.label.split(",")])


def _label(word, names):
    """Returns the label of a class's name, or of its number if no class has that name."""
    word = word.strip()
    if word in names:
        return names.index(word)
    if word.isdecimal() and int(word) < len(names):
        return int(word)
    shown = ", ".join(names[:50]) + (", …" if len(names) > 50 else "")
    raise app.UsageError(f"--label: '{word}' is no class; the classes are {shown}")


def _facts_and_digest(stack):
    """Returns the facts of the training, and a digest that identifies the weights."""
    from sgan_tf.saving import stack_folder
    from sgan_tf.saving.saved_model import SavedModelSampler

    if isinstance(stack, SavedModelSampler):
        return stack.facts, stack.digest()
    return stack_folder.remembered(stack), stack_folder.digest(stack)


def _write_picture(out, drawn, names):
    """Writes a grid with one label per row; a grid without such rows if there are many labels."""
    import numpy as np

    from sgan_tf.utils.files import write_whole
    from sgan_tf.utils.images import MOST_CLASSES, encoded, image_grid

    images = np.concatenate([block.images for block in drawn])
    labels = np.concatenate([block.labels for block in drawn])
    columns, kinds = min(COLUMNS, max(np.bincount(labels))), dict.fromkeys(labels.tolist())
    if len(kinds) > MOST_CLASSES:  # one row per label would make the picture too tall
        write_whole(out, encoded(image_grid(images, COLUMNS), out.suffix.lower()))
        return
    rows, row_names = [], []
    for label in kinds:
        same = images[labels == label]
        blank = np.full((-len(same) % columns, *images.shape[1:]), 255, np.uint8)
        rows += [same, blank]
        row_names += [names[label]] * ((len(same) + len(blank)) // columns)
    picture = image_grid(np.concatenate(rows), columns, row_names if len(names) > 1 else None)
    write_whole(out, encoded(picture, out.suffix.lower()))


def main() -> None:
    define_flags()
    app.run(sample)


if __name__ == "__main__":
    main()
