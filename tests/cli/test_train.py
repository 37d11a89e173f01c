"""train.py as a user runs it: in a process of its own."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from processes import EVALUATE, ROOT, TRAIN, module, refused, run
from runs import STAGES, metrics, train
from shared import SHORT

import sgan_tf
from sgan_tf.runs.resume import read_config
from sgan_tf.runs.run import Run


@pytest.mark.slow
def test_a_run_explains_itself(finished):
    run_dir, out = finished
    names = {p.name for p in run_dir.iterdir()}
    assert names >= {
        "config.json",
        "data.json",
        "versions.json",
        "metrics.jsonl",
        "encoder.json",
        "log.txt",
        "tensorboard",
        "checkpoints",
        "reals.png",
        "fakes_init.png",
        "fakes_level0_0002.png",
        "fakes_level1_0002.png",
        "fakes_joint_0002.png",
    }
    assert str(run_dir / "fakes_joint_0002.png") in out
    width, height = Image.open(run_dir / "fakes_joint_0002.png").size
    assert width >= 10 * 32 and height >= 10 * 32
    lines = metrics(run_dir)
    assert [(line["stage"], line["epoch"], line["step"]) for line in lines] == [
        (s, e, 29 * e) for s in STAGES for e in (1, 2)
    ]
    assert {"d_loss_0", "adv_0", "cond_0", "ent_0", "spread_0", "conditional_spread_0"} <= lines[
        2
    ].keys()
    assert json.loads((run_dir / "encoder.json").read_text())["test_accuracy"] > 0.3  # about 0.66
    assert list((run_dir / "tensorboard" / "joint").iterdir())
    # Short stages are two lines each on the console, where the machine is not crowded; every epoch
    # stands in the file.
    log = (run_dir / "log.txt").read_text()
    for stage in STAGES:
        on_the_way = rf"({stage}: epoch .*\n)*"
        assert re.search(rf"{stage}: 2 epochs of 29 steps\n{on_the_way}{stage}: done in \d", out)
        assert f"{stage} epoch 1/2 (" in log and f"{stage} epoch 2/2 (" in log
    assert "near chance" not in out


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    arguments = [
        *SHORT,
        "--run_dir",
        tmp_path / "run",
        "--set",
        "levels.0.optimizer.learning_rate=1e30",
    ]
    _, err = train(arguments, code=3)
    assert len(err.strip().splitlines()) == 1 and "level0: " in err and "at step" in err
    assert Run(tmp_path / "run").progress("encoder")[1]


@pytest.mark.slow
def test_a_trained_run_loads(finished):
    np.random.seed(7)
    expected = np.random.random(3)
    np.random.seed(7)
    stack = sgan_tf.load(finished[0])
    np.testing.assert_array_equal(
        np.random.random(3), expected
    )  # loading leaves the user's random numbers alone
    assert stack.class_names == [str(d) for d in range(10)]
    assert stack.sample(np.arange(10), seed=0).shape == (10, 8, 8, 1)
    joint = Run(finished[0]).checkpoint("joint").read()[1]
    np.testing.assert_array_equal(
        joint["generator0/000/kernel"], stack.levels[0].generator.variables[0].numpy()
    )


@pytest.mark.slow
def test_the_encoder_of_another_run_is_taken_over(finished, tmp_path):
    old = ROOT / "tests" / "fixtures" / "v0.1.0" / "run"
    arguments = [*SHORT, "--run_dir", tmp_path / "run", "--encoder_from", old]
    first, _ = train([*arguments, "--stages", "encoder,level1"])
    assert f"encoder: taken over from {old}\n" in first and "encoder: 2 epochs" not in first
    assert "encoder: that is near chance (0.1000 for 10 classes)" in first
    assert "level1: done in" in first
    again, _ = train([*arguments, "--stages", "encoder,level1"])
    assert "encoder is finished already" in again and "level1 is finished already" in again
    assert "encoder.units=64 is not what the encoder" in refused(
        TRAIN, [*arguments, "--set", "encoder.units=64"]
    )
    itself = [*arguments[:-1], tmp_path / "run", "--overwrite"]
    assert "is --run_dir itself" in refused(TRAIN, itself)
    assert Run(tmp_path / "run").progress("level1").done
    other = [*SHORT, "--run_dir", tmp_path / "other", "--encoder_from", finished[0]]
    shutil.copytree(finished[0], tmp_path / "other")
    assert "joint is finished already" in train(other)[0]  # the encoder is the same
    error = refused(TRAIN, [*other, "--set", "levels.0.z_dim=5"])
    assert "holds another configuration (levels.0.z_dim: 8 -> 5)" in error


@pytest.mark.slow
def test_config_reads_what_dry_run_prints(tmp_path):
    flags = ["--cuts", "none", "--epochs", "1", "--set", "levels.0.z_dim=5", "--seed", "3"]
    printed, _ = train(["--dry_run", *flags])
    file = tmp_path / "mine.json"
    file.write_text(printed)
    again, _ = train(["--dry_run", "--config", file])
    assert again == printed
    other, _ = train(["--dry_run", "--config", file, "--set", "levels.0.z_dim=6"])
    changed = [(a, b) for a, b in zip(printed.splitlines(), other.splitlines()) if a != b]
    assert '"z_dim": 5,' in changed[0][0] and '"z_dim": 6,' in changed[0][1]
    assert "--seed: --config says it" in refused(TRAIN, ["--config", file, "--seed", "4"])
    file.write_text(printed.replace('"z_dim": 5', '"z_dim": 0'))
    assert f"{file} is levels.0.z_dim: 0" in refused(TRAIN, ["--config", file])
    assert "absent.json" in refused(TRAIN, ["--config", tmp_path / "absent.json"])


@pytest.mark.slow
def test_a_single_level_trains_to_the_end(tmp_path):
    train(["--run_dir", tmp_path / "run", "--cuts", "none", "--epochs", "1", "--sample_every", "0"])
    assert sgan_tf.load(tmp_path / "run").sample([3], seed=0).shape == (1, 8, 8, 1)


@pytest.mark.slow
def test_of_three_levels_one_without_epochs_is_trained_in_the_joint_stage_alone(tmp_path):
    arguments = ["--run_dir", tmp_path / "run", "--cuts", "pool2,fc3", "--epochs", "1"]
    out, _ = train([*arguments, "--sample_every", "0", "--set", "levels.0.epochs=0"])
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "level0 epoch" not in log and "level2 epoch 1/1" in log and "joint epoch 1/1" in log
    assert "level0" not in out and "joint: done in " in out
    assert sgan_tf.load(tmp_path / "run").sample([3], seed=0).shape == (1, 8, 8, 1)


@pytest.fixture
def photos(tmp_path):
    """A folder of two classes of images that are not square, one of them unreadable."""
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(25):
            Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(
                tmp_path / "photos" / name / f"{i}.png"
            )
    (tmp_path / "photos" / "cats" / "broken.png").write_bytes(b"")
    return tmp_path / "photos"


def own_images(photos, run_dir):
    folder = ["--dataset", "folder", "--data_dir", photos, "--image_size", "16"]
    reading = ["--resize", "pad", "--skip_unreadable"]
    sizes = ["--preset", "digits", "--set", "batch_size=16", "--epochs", "1"]
    stages = ["--stages", "encoder,level0,level1"]
    return [*folder, *reading, *sizes, *stages, "--run_dir", run_dir]


@pytest.mark.slow
def test_a_folder_of_images_trains_to_the_end_and_is_measured(photos, tmp_path):
    run_dir = tmp_path / "run"
    arguments = own_images(photos, run_dir)
    out, _ = train(arguments)
    for text in (out, (run_dir / "log.txt").read_text()):
        assert text.count("reading 51 images") == text.count("the encoder mirrors no image") == 1
    assert sgan_tf.load(run_dir).class_names == ["cats", "dogs"]
    again, _ = train(arguments)
    assert "level1 is finished already" in again and "reading" not in again
    kept = run_dir / "cache" / "images"
    before = kept.stat().st_mtime_ns
    # How the images are read, the run knows; that they are those, the picture beside them tells.
    measure = ["--run_dir", run_dir, "--data_dir", photos]
    run(EVALUATE, [*measure, "--samples", "50", "--cache_dir", tmp_path / "judges"])
    assert "nearest training image" in (run_dir / "evaluation" / "report.html").read_text()
    assert [path.name[:14] for path in (tmp_path / "judges").iterdir()] == ["folder-noflip-"]
    assert kept.stat().st_mtime_ns == before
    kept.unlink()
    run(module("inspection"), [*measure, "--images", photos / "dogs" / "0.png"])
    assert kept.exists()
    assert "encoder.flip: False -> True" in refused(TRAIN, [*arguments, "--flip"])
    assert "other images" in refused(TRAIN, [*arguments, "--resize", "squash"])
    (photos / "cats" / "0.png").unlink()
    assert "other images" in refused(TRAIN, arguments)


@pytest.mark.slow
def test_flip_is_a_setting_of_own_images(photos, tmp_path):
    arguments = [*own_images(photos, tmp_path / "run"), "--dry_run"]
    printed, err = train([*arguments, "--flip"])
    assert '"flip": true' in printed and printed.startswith("{") and not err
    file = tmp_path / "mine.json"
    file.write_text(printed)
    reading = ["--data_dir", photos, "--skip_unreadable", "--dry_run"]
    assert '"flip": true' in train(["--config", file, *reading])[0]
    assert '"flip": false' in train(["--config", file, *reading, "--noflip"])[0]
    out, err = run(TRAIN, [*arguments[:-1], "--flip", "--set", "batch_size=100"], code=2)
    assert "the encoder mirrors half of the images (--flip)" in out and "batch_size" in err
    for flag in ("--flip", "--noflip", "--skip_unreadable", "--resize=pad"):
        name = flag.replace("--no", "--").split("=")[0]
        line = refused(TRAIN, ["--dataset", "mnist", flag, "--run_dir", tmp_path / "run"])
        assert line.startswith(f"error: {name}: is for images of your own, and the data set is")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_overwriting_keeps_images_anew(photos, tmp_path):
    arguments = own_images(photos, tmp_path / "run")
    train([*arguments, "--stages", "encoder"])
    (tmp_path / "run" / "cache" / "old").write_text("of an older version")
    out, _ = train([*arguments, "--stages", "encoder", "--overwrite"])
    assert "reading" not in out
    assert [path.name for path in (tmp_path / "run" / "cache").iterdir()] == ["images"]


def test_dry_run_writes_nothing(tmp_path):
    out, _ = train(["--dry_run", "--run_dir", tmp_path / "run"])
    assert (
        '"lambda_ent": 10.0' in out
        and "joint: 30 epochs of 29 steps = 870 steps" in out
        and "parameters" in out
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_goes_on_in_its_precision_and_says_what_is_computed_otherwise(tmp_path):
    arguments = ["--stages", "encoder", "--epochs", "1", "--run_dir", tmp_path / "run"]
    for precision in ("float32", "bfloat16"):  # one of them is not what `auto` would choose here
        train([*arguments, "--overwrite", "--precision", precision])
        assert read_config(tmp_path / "run").precision == precision
        out, _ = train(arguments)
        assert "encoder is finished already" in out and f"computed in {precision}" in out
    assert "; deterministic on" in out and "was begun with" not in out
    assert json.loads((tmp_path / "run" / "versions.json").read_text())["deterministic"] == "on"
    out, _ = train([*arguments, "--nodeterministic"])
    assert "the run was begun with deterministic on (now off): its weights may differ" in out
    assert "precision: bfloat16 -> float32" in refused(
        TRAIN, [*arguments, "--precision", "float32"]
    )
