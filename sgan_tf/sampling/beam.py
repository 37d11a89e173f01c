"""Samples in any number on Apache Beam: the images of `sgan-sample`, drawn by any of its runners.

    python -m sgan_tf.sampling.beam --model digits --count 1000000 --seed 3 --format npz --out DIR

All other options are Beam's own, as `--runner`, `--direct_num_workers` or `--project`. An element
of the pipeline is the number of a block of images, which any worker can draw. The files hold the
images in any order, each with its number. Install the extra: `pip install ".[beam]"`.
"""

import argparse
import importlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import apache_beam as beam
import numpy as np
from apache_beam.io import fileio
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from sgan_tf.errors import UserError
from sgan_tf.sampling import bulk
from sgan_tf.saving.load import load

IMAGES_PER_FILE = 10_000


class DrawBlock(beam.DoFn):
    """Draws the `bulk.Block` of each block number.

    Args:
        model: String. A source that `sgan_tf.load` takes; every worker loads it once.
        seed: Integer. The same seed gives the same images.
        count: Integer. Number of images in total; the last block may be shorter.
    """

    def __init__(self, model: str, seed: int, count: int) -> None:
        self.model, self.seed, self.count = model, seed, count

    def setup(self) -> None:
        self.stack = load(self.model)
        self.labels = bulk.labels_in_turn(range(len(self.stack.class_names)))

    def process(self, number: int) -> Iterator[bulk.Block]:
        first = number * bulk.BLOCK
        rows = range(first, min(first + bulk.BLOCK, self.count))
        yield from bulk.Blocks(self.stack, self.labels, self.seed, rows)


class NpzSink(fileio.FileSink):
    """Writes blocks as `images` uint8 `[N, H, W, C]`, `labels` and `numbers` int64 `[N]`."""

    def open(self, handle: BinaryIO) -> None:
        self.handle = handle
        self.blocks: list[bulk.Block] = []

    def write(self, block: bulk.Block) -> None:
        self.blocks.append(block)

    def flush(self) -> None:
        blocks = sorted(self.blocks, key=lambda block: block.first)
        np.savez(
            self.handle,
            images=np.concatenate([block.images for block in blocks]),
            labels=np.concatenate([block.labels for block in blocks]),
            numbers=np.concatenate([b.first + np.arange(len(b.labels)) for b in blocks]),
        )


class WriteBlocks(beam.PTransform):
    """Writes blocks to files, each of them completely or not at all.

    Args:
        format: String. `"npz"` or `"tfrecord"`.
        out: String. The folder, on any file system that Beam supports.
        shards: Integer. Approximate number of files.
    """

    def __init__(self, format: str, out: str, shards: int) -> None:
        self.format, self.out, self.shards = format, out, shards

    def expand(self, blocks: beam.PCollection) -> Any:
        if self.format == "npz":
            naming = fileio.default_file_naming("samples", ".npz")
            return blocks | fileio.WriteToFiles(
                self.out, sink=lambda _: NpzSink(), file_naming=naming, shards=self.shards
            )
        prefix, suffix = FileSystems.join(self.out, "samples"), ".tfrecord"
        write = beam.io.WriteToTFRecord(prefix, file_name_suffix=suffix, num_shards=self.shards)
        return blocks | beam.FlatMap(bulk.records) | write


def main(argv: list[str] | None = None) -> None:
    """Parses the options and runs the pipeline to its end. User errors are printed as one line.

    Args:
        argv: List of strings or None. The command line. Defaults to that of the process.
    """
    parser = argparse.ArgumentParser(
        "python -m sgan_tf.sampling.beam",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", required=True, help="name or folder that sgan_tf.load takes")
    parser.add_argument("--count", type=int, default=1000, help="number of images")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same images")
    parser.add_argument("--format", choices=["npz", "tfrecord"], default="npz")
    parser.add_argument("--out", required=True, help="an empty folder, or one that is made")
    options, of_beam = parser.parse_known_args(argv)
    if options.count < 1 or not 0 <= options.seed < 2**31:
        parser.error("--count: expected at least 1, and --seed: a number in [0, 2^31)")
    try:
        run(options.model, options.count, options.seed, options.format, options.out, of_beam)
    except UserError as error:
        parser.error(error.for_flags().replace("--source", "--model"))


def run(
    model: str, count: int, seed: int, format: str, out: str, options: Sequence[str] = ()
) -> None:
    """Runs the pipeline and waits for its end.

    Args:
        model: String. See `DrawBlock`.
        count: Integer. See `DrawBlock`.
        seed: Integer. See `DrawBlock`.
        format: String. `"npz"` or `"tfrecord"`.
        out: String. A folder, on any file system that Beam supports.
        options: Sequence of strings. Command-line options of Beam. Defaults to none.

    Raises:
        UserError: If the stack does not exist, or the folder already holds samples.
    """
    load(model)  # fails here in one line instead of in a worker with a traceback
    if any(match.metadata_list for match in FileSystems.match([FileSystems.join(out, "samples*")])):
        raise UserError(f"`out`: {out} holds samples already; choose another folder")
    shards = -(-count // IMAGES_PER_FILE)
    with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
        (
            pipeline
            | beam.Create(range(-(-count // bulk.BLOCK)))
            | beam.Reshuffle()
            | beam.ParDo(DrawBlock(model, seed, count))
            | WriteBlocks(format, out, shards)
        )


if __name__ == "__main__":
    # Workers unpickle classes by the module's name, which must not be `__main__`.
    sys.exit(importlib.import_module(__spec__.name).main())
