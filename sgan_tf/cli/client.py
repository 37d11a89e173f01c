"""Sample images from a served model into a picture, a row a label.

sgan-client --url http://localhost:8501 --label 7 --count 16 --seed 1 --out grid.png
sgan-client --grpc localhost:8500 --label cat --label dog
sgan-client --count 100 --out samples.png               # of a model without labels
"""

import io
import math

from absl import flags

from sgan_tf.cli import app, out_flag, startup

FLAGS = flags.FLAGS


def define_flags() -> None:
    flags.DEFINE_string("url", "http://localhost:8501", "of the server's REST API")
    flags.DEFINE_string(
        "grpc", None, "host:port of the server's gRPC API, in place of --url (extra: client)"
    )
    flags.DEFINE_string("model", "sgan", "name under which the sampler is served")
    flags.DEFINE_multi_string(
        "label", [], "class name or number; repeatable; a model without labels needs none"
    )
    flags.DEFINE_integer("count", 16, "images of each label", lower_bound=1, upper_bound=100_000)
    flags.DEFINE_integer("seed", 0, "of the first image; the next has the next seed")
    flags.DEFINE_string("out", "grid.png", "file to write: .png, .jpg or .webp")
    flags.DEFINE_float(
        "timeout", 30, "seconds for one request", lower_bound=0.001, upper_bound=86_400
    )


def client() -> None:
    from sgan_tf.client.client import (
        GrpcClient,
        RestClient,
        check_seeds,
        look_up,
        only_label,
        sample,
    )
    from sgan_tf.utils.files import write_whole

    # Check the flags before sending a request.
    out, seeds = out_flag.picture_path(FLAGS.out), range(FLAGS.seed, FLAGS.seed + FLAGS.count)
    check_seeds((seeds[0], seeds[-1]))
    if FLAGS.grpc:
        startup.import_tensorflow()
    server = (
        GrpcClient(FLAGS.grpc, FLAGS.model, FLAGS.timeout)
        if FLAGS.grpc
        else RestClient(FLAGS.url, FLAGS.model, FLAGS.timeout)
    )
    labels = look_up(server, FLAGS.label) if FLAGS.label else [only_label(server)]
    pngs = sample(
        server,
        [label for label in labels for _ in range(FLAGS.count)],
        [seed for _ in labels for seed in seeds],
    )
    write_whole(out, _grid(pngs, out.suffix.lower()))
    of = f" of {', '.join(FLAGS.label)}" if FLAGS.label else ""
    print(f"{out}: {len(pngs)} images{of}")


def _grid(pngs, suffix):
    """Returns the picture file: one row per label, or nearly a square if there are no labels."""
    import numpy as np
    from PIL import Image

    from sgan_tf.utils.images import encoded, image_grid

    images = np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in pngs])
    columns = FLAGS.count if FLAGS.label else math.ceil(math.sqrt(FLAGS.count))
    picture = image_grid(images.reshape(*images.shape[:3], -1), columns, FLAGS.label or None)
    return encoded(picture, suffix)


def main() -> None:
    define_flags()
    app.run(client)


if __name__ == "__main__":
    main()
