import json

import numpy as np
import pytest
from PIL import Image
from processes import module, refused, run
from safetensors.numpy import load_file

from sgan_tf.evaluation.ablations import ROWS, row_config, shared_stages


def configs(dataset="digits", preset="digits", **settings):
    return {row.name: row_config(row, dataset, preset, 0, **settings) for row in ROWS}


def test_the_rows_are_the_papers():
    rows = configs()
    weights = {
        name: [(level.lambda_adv, level.lambda_cond, level.lambda_ent) for level in config.levels]
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
    rows = configs("svhn", "svhn-small")
    assert {level.adversarial for c in rows.values() for level in c.levels} == {"class_logits"}
    assert {name: [level.lambda_label for level in c.levels] for name, c in rows.items()} == {
        "SGAN": [1, 1],
        "SGAN-no-joint": [1, 1],
        "DCGAN (L_adv + L_cond + L_ent)": [1],
        "DCGAN (L_adv + L_cond)": [1],
        "DCGAN (L_adv + L_ent)": [0],
        "DCGAN (L_adv)": [0],
    }


def test_overrides_of_a_level_that_a_row_lacks_are_left_out():
    rows = configs(overrides=["levels.1.epochs=3", "levels.0.epochs=2", "joint.epochs=4"])
    assert [level.epochs for level in rows["SGAN"].levels] == [2, 3]
    assert rows["DCGAN (L_adv)"].levels[0].epochs == 6


def test_what_the_rows_share():
    rows = configs()
    assert shared_stages(rows["SGAN"], rows["SGAN-no-joint"]) == ["encoder", "level0", "level1"]
    assert shared_stages(rows["DCGAN (L_adv)"], rows["SGAN"]) == ["encoder"]
    assert shared_stages(rows["DCGAN (L_adv)"], rows["DCGAN (L_adv + L_ent)"]) == ["encoder"]
    assert shared_stages(rows["SGAN"], row_config(ROWS[0], "digits", "digits", 1)) == []


@pytest.mark.slow
def test_the_program_trains_scores_and_resumes(tmp_path):
    program, out = module("ablations"), tmp_path / "ablations"
    rows = [row for row in ROWS if row.folder in ("sgan-no-joint", "sgan", "dcgan-adv-cond")]
    arguments = ["--rows", ",".join(row.folder for row in rows), "--epochs", "1"]
    arguments += ["--samples", "100", "--out", out, "--cache_dir", tmp_path / "cache"]
    arguments += ["--set", "levels.0.g_channels=[16,16,8,8]"]
    printed, _ = run(program, arguments)
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


def test_bad_input(tmp_path):
    out = ["--out", tmp_path / "x"]
    preset = refused(module("ablations"), ["--preset", "imagenet", *out])
    assert preset.startswith("error: --preset: unknown preset 'imagenet'")
    row = refused(module("ablations"), ["--rows", "sgan,wgan", *out])
    assert row.startswith("error: --rows: unknown row 'wgan'")
    assert not (tmp_path / "x").exists()
