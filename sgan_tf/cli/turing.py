"""Sum up the votes of the visual Turing test: a row a model, and what each two of them differ by.

sgan-turing --votes votes.sqlite
sgan-turing --votes votes.sqlite --csv votes.csv      # and every vote, a line each

The file may be one that a server is writing to.
"""

import pathlib

from absl import flags

from sgan_tf.cli import app
from sgan_tf.errors import shown

FLAGS = flags.FLAGS


def define_flags() -> None:
    flags.DEFINE_string("votes", "votes.sqlite", "the file that sgan-serve --turing wrote")
    flags.DEFINE_string("csv", None, "file to write all votes to, as CSV")


def turing() -> None:
    from sgan_tf.server.turing import summary, votes
    from sgan_tf.utils.files import write_whole

    out = _out(votes.COLUMNS)
    rows = summary.results(votes.counts(FLAGS.votes))
    if out:
        write_whole(out, votes.as_csv(FLAGS.votes))
    if not rows:
        print(f"{shown(FLAGS.votes)} holds no votes yet")
        return
    print(f"{summary.markdown(rows)}\n{summary.NOTES}")
    lines = summary.comparisons(rows)
    if lines:
        print("", *lines, sep="\n")


def _out(columns):
    """Returns the path of --csv; only a file of an earlier summary may be overwritten."""
    if not FLAGS.csv:
        return None
    out, head = pathlib.Path(FLAGS.csv), ",".join(columns).encode()
    if not out.parent.is_dir():
        raise app.UsageError(f"--csv: '{out}' cannot be written; there is no folder {out.parent}")
    if out.exists() and not (out.is_file() and _start(out, len(head)) == head):
        raise app.UsageError(
            f"--csv: {out} is there, and no earlier sgan-turing wrote it; choose another name"
        )
    return out


def _start(path, size):
    with path.open("rb") as file:
        return file.read(size)


def main() -> None:
    define_flags()
    app.run(turing)


if __name__ == "__main__":
    main()
