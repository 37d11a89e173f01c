"""A stack written as data and read back, and what is refused."""

import json
import shutil

import keras
import numpy as np
import pytest
from processes import ROOT
from shared import DIGITS, RECIPE

import sgan_tf
from sgan_tf.models.build import build
from sgan_tf.saving import stack_folder
from sgan_tf.saving.serving_module import ServingModule

OLD = ROOT / "tests" / "fixtures" / "v0.1.0" / "run"
TOO_LARGE = 1e6  # for float16


@pytest.fixture(scope="module")
def stack():
    """A stack of all parts of the recipe, whose averaged generators are not the trained ones."""
    config = sgan_tf.make_config("digits", overrides=RECIPE)
    encoder, stack = build(config, (8, 8, 1), DIGITS)
    rng = np.random.default_rng(0)
    for level in stack.levels:
        for variable in level.average.weights:
            if "variance" not in variable.path:
                variable.assign(variable + 0.1 * rng.normal(size=variable.shape))
    return stack


@pytest.fixture(scope="module")
def folder(stack, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "mine"
    sgan_tf.save(stack, path)
    return path


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def uses(stack):
    """All that a stack in use gives, of the same inputs."""
    images = np.random.default_rng(1).random((4, 8, 8, 1), dtype=np.float32)
    known = stack.infer_noise(images)
    return [
        stack.sample(np.arange(10), seed=1),
        stack.reconstruct(images),
        stack.variations(images, 2, seed=1),
        *known.features,
        known.probabilities,
        *known.noise,
    ]


def test_in_float32_what_is_loaded_is_what_was_saved(stack, tmp_path):
    sgan_tf.save(stack, tmp_path / "mine", dtype="float32")
    loaded = sgan_tf.load(tmp_path / "mine")
    for ours, theirs in zip(uses(stack), uses(loaded)):
        np.testing.assert_array_equal(ours, theirs)
    assert loaded.recipe == stack.recipe and loaded.class_names == stack.class_names


def test_float16_rounds(stack, folder):
    for ours, theirs in zip(uses(stack), uses(sgan_tf.load(folder))):
        np.testing.assert_allclose(ours, theirs, atol=0.02 * max(1, np.abs(ours).max()))
    sizes = [path.stat().st_size for path in folder.iterdir() if path.name == stack_folder.WEIGHTS]
    in_use = sum(
        np.prod(v.shape) for group in stack_folder.networks_in_use(stack).values() for v in group
    )
    assert sizes[0] < 2.2 * in_use  # bytes


def test_what_is_stored_is_what_a_stack_in_use_reads(stack):
    stored = {id(v.value) for group in stack_folder.networks_in_use(stack).values() for v in group}
    assert {id(v) for v in ServingModule(stack, DIGITS).weights} <= stored


def test_weights_beyond_float16_stay_as_they_are(tmp_path):
    stack = sgan_tf.load(OLD)
    bias = stack.levels[0].discriminator.posterior.weights[-1]
    bias.assign(np.full(bias.shape, TOO_LARGE))
    sgan_tf.save(stack, tmp_path / "mine")
    loaded = sgan_tf.load(tmp_path / "mine")
    assert (loaded.levels[0].discriminator.posterior.weights[-1] == TOO_LARGE).numpy().all()


def test_what_is_known_of_the_training_goes_along_until_the_weights_change(tmp_path):
    stack = sgan_tf.load(OLD)
    sgan_tf.save(stack, tmp_path / "one")
    again = sgan_tf.load(tmp_path / "one")
    sgan_tf.save(again, tmp_path / "two")
    for name in ("one", "two"):
        training = stack_folder.read_metadata(tmp_path / name)["training"]
        assert training["data"]["train_images"] == 1497
        assert "1,497 images were trained on" in (tmp_path / name / "README.md").read_text()
    again.levels[0].generator.weights[0].assign(again.levels[0].generator.weights[0] * 1.01)
    sgan_tf.save(again, tmp_path / "three")
    assert stack_folder.read_metadata(tmp_path / "three")["training"] == {}
    assert "CC BY 4.0" in (tmp_path / "three" / "README.md").read_text()  # of the data


def test_a_damaged_file_of_a_run_does_not_keep_its_stack_from_loading(tmp_path):
    shutil.copytree(OLD, tmp_path / "run")
    (tmp_path / "run" / "encoder.json").write_text("{")
    stack = sgan_tf.load(tmp_path / "run")
    assert list(stack_folder.remembered(stack)) == ["data"]


def test_networks_of_ones_own_are_not_saved(stack, tmp_path):
    own = sgan_tf.StackedGAN(stack.encoder, stack.levels, stack.config)
    with pytest.raises(stack_folder.SavedError, match="cannot be rebuilt"):
        sgan_tf.save(own, tmp_path / "mine")
    # Nor where one of them took another's place.
    mixed = sgan_tf.load(OLD)
    generator = mixed.levels[0].generator
    negative = keras.layers.Rescaling(-1.0, 1.0)(generator.output)
    mixed.levels[0].generator = keras.Model(generator.inputs, negative)
    with pytest.raises(stack_folder.SavedError, match="other images"):
        sgan_tf.save(mixed, tmp_path / "mine")
    assert not list(tmp_path.glob("*mine*"))


def test_a_folder_that_exists_is_left_alone(stack, tmp_path):
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(stack_folder.SavedError, match="exists already"):
        sgan_tf.save(stack, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def changed(name, change):
    def damage(folder):
        path = folder / name
        content = change(path.read_bytes())
        path.unlink() if content is None else path.write_bytes(content)

    return damage


def metadata(**values):
    def change(content):
        facts = {**json.loads(content), **values}
        return json.dumps({k: v for k, v in facts.items() if v is not None}).encode()

    return changed("metadata.json", change)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (changed("model.safetensors", lambda c: c[:-1]), "model.safetensors is damaged.*checksum"),
        (changed("model.safetensors", lambda c: None), "model.safetensors cannot be read"),
        (changed("metadata.json", lambda c: None), "metadata.json cannot be read"),
        (changed("metadata.json", lambda c: c[:9]), "metadata.json is damaged"),
        (changed("metadata.json", lambda c: b"[]"), "metadata.json is damaged"),
        (metadata(format=99), "of a newer version.*99"),
        (metadata(class_names=None), "metadata.json is damaged.*lacks 'class_names'"),
        (metadata(class_names=["a", "b"]), "does not fit the networks"),
        (changed("config.json", lambda c: b"[]"), "config.json is not a configuration"),
        (changed("config.json", lambda c: c.replace(b'"z_dim": 8', b'"z_dim": 9')), "does not fit"),
    ],
)
def test_what_cannot_be_read_is_one_line(copy, damage, says):
    damage(copy)
    with pytest.raises(stack_folder.SavedError, match=says) as error:
        sgan_tf.load(copy)
    assert "\n" not in str(error.value)


def test_a_card_quotes_the_notes_of_the_run(tmp_path, caplog):
    run = shutil.copytree(OLD, tmp_path / "run")
    plain = card_of(run, tmp_path / "plain")
    (run / "notes.md").write_text("Trained on a Sunday,\nüber Nacht.\n", encoding="utf-8")
    noted = card_of(run, tmp_path / "noted")
    assert [line for line in noted if line not in plain] == ["Trained on a Sunday,", "über Nacht."]
    (run / "notes.md").write_bytes(b"\xff")
    assert "Licence of the data: " in "".join(card_of(run, tmp_path / "damaged"))
    assert f"{run / 'notes.md'} cannot be read" in caplog.text


def card_of(run, folder):
    """The lines of the model card of a run, but for the name, which is the folder's."""
    sgan_tf.save(sgan_tf.load(run), folder)
    return (
        (folder / stack_folder.CARD)
        .read_text(encoding="utf-8")
        .replace(folder.name, "it")
        .splitlines()
    )
