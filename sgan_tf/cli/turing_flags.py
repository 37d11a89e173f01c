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
# Not folder: only its runs know how its images were resized.
NAMES = tuple(name for name in DATASETS if name != "folder")
DETAILS = ("dataset", "data_dir", "votes")


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_bool("turing", False, "the visual Turing test, at /turing: real or generated?")
    flags.DEFINE_enum("dataset", None, NAMES, f"with --turing, what is real: {', '.join(NAMES)}")
    flags.DEFINE_string("data_dir", None, "with --turing, where TFDS keeps its data sets")
    flags.DEFINE_string("votes", "votes.sqlite", "with --turing, the file that votes are added to")


def check_flags() -> None:
    """Checks that the flags do not contradict each other.

    Raises:
        UsageError: If they do, or if one is missing.
    """
    details = [name for name in DETAILS if FLAGS[name].present]
    if details and not FLAGS.turing:
        raise app.UsageError(f"--{details[0]}: is of the visual Turing test; add --turing")
    if FLAGS.turing and FLAGS.dataset is None:
        raise app.UsageError(
            f"--turing: --dataset has to say what is real: {', '.join(NAMES)}; as the model was "
            "trained on"
        )


def examiner(model: "Model") -> "Examiner | None":
    """Returns the examiner of the visual Turing test for a `Server`.

    Once the model is loaded, call its method `open`, which checks whether the images fit the model
    and opens the file of votes.

    Args:
        model: `sgan_tf.server.model.Model` that is served.

    Returns:
        An `Examiner`; None without --turing.

    Raises:
        UsageError: If the images are not available. They are never downloaded.
    """
    if not FLAGS.turing:
        return None
    from sgan_tf.server.turing.examiner import Examiner

    try:
        dataset = load_dataset(FLAGS.dataset, data_dir=FLAGS.data_dir)
    except DataError as error:  # its text names --download, which a server does not have
        how = f"or fetch it: train.py --dataset {FLAGS.dataset} --download --dry_run"
        raise app.UsageError(f"{str(error).partition(', or fetch it')[0]}, {how}") from error
    return Examiner(model, dataset, FLAGS.votes)
