"""Runs that are killed, stopped, trained part by part and trained on."""

import shutil
import signal

import numpy as np
import pytest
from processes import TRAIN, on_two_devices, refused
from runs import STAGES, checkpoints, kill_in, metrics, train
from shared import SHORT

from sgan_tf.runs.run import Run


@pytest.mark.slow
def test_a_run_killed_in_every_stage_ends_with_the_very_same_weights(finished, tmp_path):
    arguments = [*SHORT, "--run_dir", str(tmp_path / "run")]
    for stage, steps in zip(STAGES, (7, 38, 12, 33)):
        code, _, (step, done) = kill_in(stage, arguments, steps)
        assert code == -signal.SIGKILL and not done and step >= steps
    out, _ = train(arguments)
    assert "joint resumes at step" in out and "level1 is finished already" in out
    whole, resumed = checkpoints(finished[0]), checkpoints(tmp_path / "run")
    for stage in STAGES:
        assert whole[stage].keys() == resumed[stage].keys()
        for name, array in whole[stage].items():
            np.testing.assert_array_equal(array, resumed[stage][name], err_msg=f"{stage} {name}")
    assert metrics(tmp_path / "run") == metrics(finished[0])


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_cleanly_saying_how_to_resume(tmp_path, number, code):
    arguments = ["--run_dir", str(tmp_path / "run"), "--stages", "encoder"]
    got, out, (step, done) = kill_in("encoder", arguments, 5, number)
    assert got == code and not done and step >= 5
    assert "to resume, run the same command again" in out and str(tmp_path / "run") in out


@pytest.mark.slow
def test_a_run_begun_on_one_device_resumes_on_two(tmp_path):
    arguments = [*SHORT, "--set", "joint.epochs=0", "--run_dir", str(tmp_path / "run")]
    kill_in("level0", arguments, 10)
    out, _ = train([*arguments, "--devices", "2"], on_two_devices("train"))
    assert "level0 resumes at step" in out and Run(tmp_path / "run").progress("level1")[1]
    train(arguments)  # and the finished run opens on one again


@pytest.mark.slow
def test_stages_one_by_one_end_with_the_weights_of_one_command(finished, tmp_path):
    arguments = [*SHORT, "--run_dir", tmp_path / "run"]
    assert "--stages: level0 needs encoder" in refused(TRAIN, [*arguments, "--stages", "level0"])
    train([*arguments, "--stages", "encoder"])
    train([*arguments, "--stages", "level1"])
    assert "joint needs level0" in refused(TRAIN, [*arguments, "--stages", "joint"])
    train([*arguments, "--stages", "level0,joint"])
    whole, parts = checkpoints(finished[0]), checkpoints(tmp_path / "run")
    for stage in STAGES:
        for name, array in whole[stage].items():
            np.testing.assert_array_equal(array, parts[stage][name], err_msg=f"{stage} {name}")


@pytest.mark.slow
def test_a_finished_run_is_trained_on_and_its_past_stays(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "run")
    (tmp_path / "run" / "encoder.json").unlink()  # as after a kill: it is made anew
    arguments = ["--run_dir", tmp_path / "run", "--sample_every", "0"]
    out, _ = train([*arguments, "--epochs", "3"])
    accuracies = [(path / "encoder.json").read_text() for path in (finished[0], tmp_path / "run")]
    assert accuracies[0] == accuracies[1]
    assert "encoder keeps its 2 epochs" in out and "joint resumes at step 58 of 87" in out
    before, after = checkpoints(finished[0]), checkpoints(tmp_path / "run")
    for stage in STAGES[:3]:
        for name, array in before[stage].items():
            np.testing.assert_array_equal(array, after[stage][name])
    err = refused(TRAIN, [*arguments, "--epochs", "3", "--set", "levels.0.z_dim=5"])
    assert "levels.0.z_dim: 8 -> 5" in err
    path = Run(tmp_path / "run").checkpoint("level0").path
    path.write_bytes(path.read_bytes()[:-50])
    assert f"{path} is damaged" in refused(TRAIN, [*arguments, "--epochs", "3"])
