"""Files whole or not at all, and one writer at a time."""

import os
import signal
import subprocess
import sys

import pytest
from processes import ROOT

from sgan_tf.utils.files import InUse, sole_writer, write_whole

HOLD = """
import pathlib, sys, time
from sgan_tf.utils.files import sole_writer
with sole_writer(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_writer_at_a_time_in_a_process(tmp_path):
    lock = tmp_path / "lock"
    with sole_writer(lock):
        with pytest.raises(InUse, match=f"process {os.getpid()} on "), sole_writer(lock):
            pass
        with sole_writer(tmp_path / "other"):
            pass
    with sole_writer(lock):  # free again
        pass
    with pytest.raises(ZeroDivisionError), sole_writer(lock):
        raise ZeroDivisionError
    with sole_writer(lock):
        pass


def test_a_lock_says_who_is_in_the_way_and_goes_with_a_killed_process(tmp_path):
    lock = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, lock], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        for _ in range(2):  # who asked in vain leaves no trace
            with pytest.raises(InUse, match=f"process {holder.pid} on "), sole_writer(lock):
                pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with (
        sole_writer(lock),
        pytest.raises(InUse, match=f"process {os.getpid()} on "),
        sole_writer(lock),
    ):
        pass


def test_a_folder_that_is_not_there_is_no_lock_in_use(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"), sole_writer(tmp_path / "file" / "lock"):
        pass


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    write_whole(path, "first")
    write_whole(path, b"second")
    assert path.read_text() == "second"
    with pytest.raises(TypeError):
        write_whole(path, 3)
    assert path.read_text() == "second" and os.listdir(tmp_path) == ["file"]
    with pytest.raises(OSError, match="none/file"):
        write_whole(tmp_path / "none" / "file", "")
