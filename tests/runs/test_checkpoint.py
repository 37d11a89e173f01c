import json
import struct

import keras
import numpy as np
import pytest

from sgan_tf.runs.checkpoint import Checkpoint, CheckpointError


def state(*arrays):
    return {"network": [keras.Variable(a, name="w") for a in arrays]}


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "level0.safetensors", "level0")


def refuse(message, function, *arguments):
    with pytest.raises(CheckpointError) as error:
        function(*arguments)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_it_comes_back_bit_for_bit(checkpoint):
    saved = [
        np.random.default_rng(0).normal(size=(3, 4)).astype("float32"),
        np.array(7, "int64"),
        np.zeros((0, 2), "float32"),
    ]
    target = state(*[np.zeros_like(a) for a in saved])
    assert checkpoint.progress() == (0, False)
    assert checkpoint.resume(target, 2)[0] == 0
    totals = [0.1 + 0.2, 1e-30]
    checkpoint.save(state(*saved), 12, False, totals, '{"a": 1}')
    assert checkpoint.progress() == (12, False) and checkpoint.config() == '{"a": 1}'
    step, read = checkpoint.resume(target, 2)
    assert step == 12 and read.tolist() == totals
    for a, b in zip(saved, target["network"]):
        np.testing.assert_array_equal(a, b.numpy())


def test_variables_are_told_apart_by_place_and_not_by_name(checkpoint):
    checkpoint.save({"g": [keras.Variable([1.0], name="dense_7")]}, 1, True)
    target = {"g": [keras.Variable([0.0], name="dense_9")]}
    checkpoint.load(target)
    assert target["g"][0].numpy() == [1.0]


def test_a_damaged_file_is_refused_and_kept(checkpoint):
    checkpoint.save(state(np.arange(100, dtype="float32")), 1, False)
    whole = checkpoint.path.read_bytes()
    for damaged in (whole[:-30], whole[:20], b"", b"\xff" * 100, whole + b"x"):
        checkpoint.path.write_bytes(damaged)
        refuse("is damaged", checkpoint.progress)
        refuse(str(checkpoint.path), checkpoint.load, state(np.zeros(100, "float32")))
        assert checkpoint.path.read_bytes() == damaged
    checkpoint.path.write_bytes(whole)
    refuse("does not fit", checkpoint.load, state(np.zeros(99, "float32")))


def test_a_flipped_byte_is_found_wherever_it_is(checkpoint):
    checkpoint.save(state(np.arange(1.0, 9.0, dtype="float32")), 1, False, [0.5], '{"a": 1}')
    whole = checkpoint.path.read_bytes()
    for i in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[i] ^= 1
        checkpoint.path.write_bytes(bytes(damaged))
        if whole[i : i + 1] != b" ":  # padding of the header holds nothing
            refuse("is damaged", checkpoint.load, state(np.zeros(8, "float32")))


def test_progress_reads_the_header_alone(checkpoint):
    """The arrays may be gigabytes: here they are a hole in a file, which takes no time to skip."""
    checkpoint.save(state(np.zeros(4, "float32")), 7, True)
    whole = checkpoint.path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8 : 8 + length])
    name = next(key for key in header if key != "__metadata__")
    header[name]["data_offsets"] = [0, 2**36]
    text = json.dumps(header).encode()
    with open(checkpoint.path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + 2**36)
    assert checkpoint.progress() == (7, True)


def test_what_is_not_finite_is_not_saved(checkpoint):
    checkpoint.save(state(np.ones(3, "float32")), 1, False)
    with pytest.raises(FloatingPointError, match="network"):
        checkpoint.save(state(np.array([1, np.nan, 1], "float32")), 2, False)
    assert checkpoint.progress() == (1, False)
