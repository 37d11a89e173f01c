import json

import numpy as np
import pytest
from PIL import Image
from processes import finish, module, refused, run, start
from safetensors.numpy import load_file

from sgan_tf.evaluation.ablations import ROWS, markdown, row_config, shared_stages, summarize


def configs(dataset="digits", preset="digits", **settings):
    return {row.name: row_config(row, dataset, preset, 0, **settings) for row in ROWS}


def test_the_rows_are_the_papers():
    rows = configs()
    weights = {
        name: [
            (level.loss.lambda_adv, level.loss.lambda_cond, level.loss.lambda_ent)
            for level in config.levels
        ]
        for name, config in rows.items()
    }
    assert weights == {
        "SGAN": [(1, 1, 10)] * 2,
        "SGAN-no-joint": [(1, 1, 10)] * 2,
        "DCGAN (L_adv + L_cond + L_ent)": [(1, 1, 10)],
        "DCGAN (L_adv + L_cond)": [(1, 1, 0)],
        "DCGAN (L_adv + L_ent)": [(1, 0, 10)],
        "DCGAN (L_adv)": [(1, 0, 0)],
    }
    assert "joint" in rows["SGAN"].stages() and "joint" not in rows["SGAN-no-joint"].stages()
    assert len({config.seed for config in rows.values()}) == 1
    assert len({str(config.encoder) for config in rows.values()}) == 1
    stack, baseline = rows["SGAN"].stages(), rows["DCGAN (L_adv)"].stages()
    assert baseline["level0"] == stack["level0"] + stack["joint"]


def test_rows_without_the_conditional_loss_do_not_tell_their_discriminator_of_labels():
    rows = configs("svhn", "svhn-release")
    assert {level.loss.adversarial for c in rows.values() for level in c.levels} == {"class_logits"}
    assert {name: [level.loss.lambda_label for level in c.levels] for name, c in rows.items()} == {
        "SGAN": [1, 1],
        "SGAN-no-joint": [1, 1],
        "DCGAN (L_adv + L_cond + L_ent)": [1],
        "DCGAN (L_adv + L_cond)": [1],
        "DCGAN (L_adv + L_ent)": [0],
        "DCGAN (L_adv)": [0],
    }
    rows = configs("svhn", "svhn")
    told = [name for name, c in rows.items() if c.levels[0].discriminator.projection]
    assert sorted(set(rows) - set(told)) == ["DCGAN (L_adv + L_ent)", "DCGAN (L_adv)"]


def test_what_the_paper_does_not_have_is_in_no_row_unless_asked_for():
    assert {c.joint.lambda_class for c in configs("svhn", "svhn-small").values()} == {0}
    asked = configs("svhn", "svhn-small", overrides=["joint.lambda_class=2"])
    assert {c.joint.lambda_class for c in asked.values()} == {2}


def test_overrides_of_a_level_that_a_row_lacks_are_left_out():
    rows = configs(overrides=["levels.1.epochs=3", "levels.0.epochs=2", "joint.epochs=4"])
    assert [level.epochs for level in rows["SGAN"].levels] == [2, 3]
    assert rows["DCGAN (L_adv)"].levels[0].epochs == 6


def test_rows_share_a_size_of_images():
    assert {config.image_size for config in configs(image_size=16).values()} == {16}


def test_what_the_rows_share():
    rows = configs()
    assert shared_stages(rows["SGAN"], rows["SGAN-no-joint"]) == ["encoder", "level0", "level1"]
    assert shared_stages(rows["DCGAN (L_adv)"], rows["SGAN"]) == ["encoder"]
    assert shared_stages(rows["DCGAN (L_adv)"], rows["DCGAN (L_adv + L_ent)"]) == ["encoder"]
    assert shared_stages(rows["SGAN"], row_config(ROWS[0], "digits", "digits", 1)) == []


def test_a_column_without_a_score_is_a_dash():
    samples = {"fcd50k_train_by_views": 2.0, "precision50k_by_views": 0.5, "class_spread": 0.75}
    facts = {"samples": samples, "real": {"class_spread": 1.0}}
    table = summarize({"SGAN": [facts, facts]})
    assert table["SGAN"] == {
        "Fréchet distance ↓": (2.0, 0.0),
        "precision ↑": (0.5, 0.0),
        "spread in a class (real: 1)": (0.75, 0.0),
    }
    *_, row, real = markdown(table, seeds=2).splitlines()
    assert row == "| SGAN | – | 2 ± 0 | 0.5 ± 0 | – | – | 0.75 ± 0 | – | 8.59 ± 0.12 |"
    assert real == "| real test set | – | – | – | – | – | 1 | – | 11.24 ± 0.12 |"


@pytest.mark.slow
def test_the_program_trains_scores_and_resumes(cache, tmp_path):
    program, out = module("ablations"), tmp_path / "ablations"
    rows = [row for row in ROWS if row.folder in ("sgan-no-joint", "sgan", "dcgan-adv-cond")]
    arguments = ["--rows", ",".join(row.folder for row in rows), "--epochs", "1"]
    arguments += ["--samples", "100", "--out", out, "--cache_dir", cache]
    arguments += ["--set", "levels.0.generator.channels=[16,16,8,8]"]
    printed, _ = finish(start(program, arguments))
    table = json.loads((out / "table.json").read_text())
    assert list(table["table"]) == [*(row.name for row in rows), "real test set"]
    assert all(
        np.isfinite(cell["mean"]) for row in table["table"].values() for cell in row.values()
    )
    assert all(row.name in printed and row.paper in (out / "table.md").read_text() for row in rows)
    assert Image.open(out / "figure5.png").width > 900
    encoders = [
        load_file(out / f"{row.folder}-seed0" / "checkpoints" / "encoder.safetensors")
        for row in rows
    ]
    for encoder in encoders[1:]:
        for name, array in encoders[0].items():
            np.testing.assert_array_equal(array, encoder[name])
    assert "epochs of" in printed
    again, _ = run(program, arguments)
    assert "joint is finished already" in again and "epochs of" not in again


@pytest.mark.slow
def test_own_images_are_read_once_and_by_the_flags_of_train(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "ablations"
    rng = np.random.default_rng(0)
    for name in ("p", "q"):
        (photos / name).mkdir(parents=True)
        for i in range(25):
            pixels = rng.integers(0, 256, (20, 30), dtype=np.uint8)
            Image.fromarray(pixels).save(photos / name / f"{i}.png")
    (photos / "q" / "broken.png").write_bytes(b"")
    arguments = ["--dataset", "folder", "--data_dir", photos, "--image_size", "16", "--flip"]
    arguments += ["--resize", "pad", "--skip_unreadable", "--preset", "digits", "--epochs", "1"]
    arguments += ["--set", "batch_size=16", "--rows", "sgan-no-joint", "--samples", "50"]
    arguments += ["--out", out, "--cache_dir", tmp_path / "judges"]
    printed, _ = run(module("ablations"), arguments)
    assert "reading 51 images" in printed and "the encoder mirrors half of the images" in printed
    command = json.loads((out / "table.json").read_text())["command"]
    assert (command["dataset"], command["preset"], command["image_size"]) == (
        "folder",
        "digits",
        16,
    )
    again, _ = run(module("ablations"), arguments)
    assert "reading" not in again and "level1 is finished already" in again
    data = json.loads((out / "sgan-no-joint-seed0" / "data.json").read_text())
    assert data["reading"] == {"resize": "pad", "skip_unreadable": True}
    assert [path.name[:12] for path in (tmp_path / "judges").iterdir()] == ["folder-flip-"]


def test_the_preset_names_the_data_set_and_the_data_set_the_preset(tmp_path):
    program = module("ablations")
    line = refused(program, ["--preset", "svhn-small", "--data_dir", tmp_path])
    assert f"svhn_cropped is not prepared in {tmp_path}" in line
    line = refused(program, ["--dataset", "cifar10", "--data_dir", tmp_path])
    assert f"cifar10 is not prepared in {tmp_path}" in line
    assert "needs --data_dir" in refused(program, ["--dataset", "folder"])
    assert "--flip: is for images of your own" in refused(program, ["--flip"])


def test_bad_input(tmp_path):
    out = ["--out", tmp_path / "x"]
    preset = refused(module("ablations"), ["--preset", "imagenet", *out])
    assert preset.startswith("error: --preset: unknown preset 'imagenet'")
    row = refused(module("ablations"), ["--rows", "sgan,wgan", *out])
    assert row.startswith("error: --rows: unknown row 'wgan'")
    assert not (tmp_path / "x").exists()
