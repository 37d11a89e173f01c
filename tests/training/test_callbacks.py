"""What is shown of a stage: a bar on a terminal, a few lines elsewhere, every epoch in the log."""

import io
import logging
import sys

import pytest

from sgan_tf.cli.logs import start_log
from sgan_tf.runs.run import Run
from sgan_tf.training import callbacks
from sgan_tf.training.callbacks import EpochLog, ProgressLogger


class Screen(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Trains a stage of 100 epochs of 10 steps in pretence, each step taking some seconds.

    Returns what stands on the screen and in the file of the log.
    """
    log = logging.getLogger("sgan_tf")
    kept = log.handlers, log.level, log.propagate
    clock = [1000.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr("tqdm.std.time", lambda: clock[0])

    def train(seconds, terminal=False, spread=0.5, first=0, last=1000, warn=()):
        screen = Screen(terminal)
        monkeypatch.setattr(sys, "stdout", screen)
        start_log(tmp_path / "log.txt")
        run = Run(tmp_path, writes=False)
        both = [EpochLog(run, "level0", 10, 100), ProgressLogger("level0", 10, 100, first)]
        for callback in both:
            callback.on_train_begin()
        for step in range(first, last):
            epoch, batch = divmod(step, 10)
            for callback in both if batch == 0 or step == first else []:
                callback.on_epoch_begin(epoch)
            clock[0] += seconds
            if step in warn:
                log.warning("look at step %d", step)
            for callback in both:
                callback.on_train_batch_end(batch, {"cond_0": step / 1000, "d_loss_0": 0.1})
            for callback in both if batch == 9 else []:
                callback.on_epoch_end(epoch, {"cond_0": 0.25, "conditional_spread_0": spread})
        for callback in both if last == 1000 else []:
            callback.on_train_end()
        both[1].close()
        return screen.getvalue(), (tmp_path / "log.txt").read_text()

    yield train
    log.handlers, log.level, log.propagate = kept


def test_elsewhere_than_on_a_terminal_it_is_a_few_lines_with_the_time_left(shown):
    screen, file = shown(seconds=1)
    lines = screen.splitlines()
    assert 9 <= len(lines) <= 12 and all(line.startswith("level0: ") for line in lines)
    assert lines[0].startswith("level0: epoch 3 of 100, 16:10 left: cond_0 ")
    assert lines[-1] == "level0: done in 16:40: cond_0 0.25, conditional_spread_0 0.5"
    assert "d_loss_0" not in screen
    assert all(line in file for line in lines)


def test_a_fast_stage_has_a_line_at_most_every_half_minute(shown):
    assert len(shown(seconds=0.1)[0].splitlines()) == 4  # 100 s
    assert len(shown(seconds=0.01)[0].splitlines()) == 1


def test_every_epoch_stands_in_the_file_alone(shown):
    screen, file = shown(seconds=0.01)
    epochs = [line for line in file.splitlines() if "level0 epoch " in line]
    assert len(epochs) == 100 and "level0 epoch 57/100 (0.1 s): cond_0 0.25" in epochs[56]
    assert "level0 epoch" not in screen


def test_a_stage_that_resumes_reckons_with_the_steps_it_makes(shown):
    screen, _ = shown(seconds=1, first=905)
    lines = screen.splitlines()
    assert lines[0].startswith("level0: epoch 94 of 100, 01:05 left: ")
    assert lines[-1].startswith("level0: done in 01:35: ")


def test_on_a_terminal_it_is_a_bar_with_the_time_left(shown):
    screen, _ = shown(seconds=1, terminal=True)
    drawn = screen.replace("\r", "\n").splitlines()
    half = next(line for line in drawn if "500/1000" in line)
    assert half.startswith("level0:  50%|") and "[08:20 left, epoch 50, cond_0 0.499" in half
    assert drawn[-1] == "level0: done in 16:40: cond_0 0.25, conditional_spread_0 0.5"
    assert "d_loss_0" not in screen and "left:" not in screen


def test_lines_of_the_log_stand_above_the_bar(shown):
    screen, _ = shown(seconds=1, terminal=True, warn=[600])
    before, after = screen.split("look at step 600\n")
    assert before.split("\r")[-2].strip() == "" and after.lstrip("\r").startswith("level0:  60%|")


def test_a_stop_takes_the_bar_away(shown):
    screen, _ = shown(seconds=1, terminal=True, last=500)
    assert screen.split("\r")[-2].strip() == "" and screen.endswith("\r")
    assert "done in" not in screen


def test_a_collapsed_level_is_warned_of_at_the_end(shown):
    screen, file = shown(seconds=1 / 64, spread=0.01)
    assert screen == (
        "level0: done in 00:15: cond_0 0.25, conditional_spread_0 0.01; level 0 has collapsed: it "
        "ignores its noise z_0\n"
    )
    assert "WARNING level0: done in" in file
