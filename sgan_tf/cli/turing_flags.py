"""The flags of the visual Turing test, for programs that serve a model."""

from typing import TYPE_CHECKING

from absl import flags

from sgan_tf.cli import app
from sgan_tf.data.datasets import DATASETS, load_dataset
from sgan_tf.errors import DataError

if TYPE_CHECKING:
    from sgan_tf.server.model import Model
    from sgan_tf.server.turing.examiner import Examiner

FLAGS = flags.FLAGS
# How a folder's images were cut to size is known to the runs on it alone.
NAMES = tuple(name for name in DATASETS if name != "folder")
DETAILS = ("dataset", "data_dir", "votes")


def define_flags() -> None:
    """Defines all of them."""
    flags.DEFINE_bool("turing", False, "the visual Turing test, at /turing: real or generated?")
    flags.DEFINE_enum("dataset", None, NAMES, f"with --turing, what is real: {', '.join(NAMES)}")
    flags.DEFINE_string("data_dir", None, "with --turing, where TFDS keeps its data sets")
    flags.DEFINE_string("votes", "votes.sqlite", "with --turing, the file that votes are added to")


def check_flags() -> None:
    """Raises `UsageError` for flags that do not go together."""
    details = [name for name in DETAILS if FLAGS[name].present]
    if details and not FLAGS.turing:
        raise app.UsageError(f"--{details[0]}: is of the visual Turing test; add --turing")
    if FLAGS.turing and FLAGS.dataset is None:
        raise app.UsageError(
            f"--turing: --dataset has to say what is real: {', '.join(NAMES)}; as the model was "
            "trained on"
        )


def examiner(model: "Model") -> "Examiner | None":
    """Returns the `Examiner` that `Server` takes; None without --turing.

    Once the model is loaded its `open` sees whether the images fit, and opens the file of votes.

    Args:
        model: The `sgan_tf.server.model.Model` that is served.

    Raises:
        UsageError: when the images are not there; they are never fetched.
    """
    if not FLAGS.turing:
        return None
    from sgan_tf.server.turing.examiner import Examiner

    try:
        dataset = load_dataset(FLAGS.dataset, data_dir=FLAGS.data_dir)
    except DataError as error:  # which offers a flag that is not here, as a server fetches nothing
        how = f"or fetch it: train.py --dataset {FLAGS.dataset} --download --dry_run"
        raise app.UsageError(f"{str(error).partition(', or fetch it')[0]}, {how}") from error
    return Examiner(model, dataset, FLAGS.votes)
