"""What the site's hooks do; `make docs`, which builds the whole of it, is run by CI itself."""

import importlib.util

import pytest
from mkdocs.exceptions import PluginError
from processes import ROOT


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "theme" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hooks, griffe_examples = loaded("hooks"), loaded("griffe_examples")


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("sgan_tf.models.losses.Binary", "class Binary("),
        ("sgan_tf.models.losses.entropy_loss", "def entropy_loss("),
        ("sgan_tf.models.losses.ADVERSARIAL", "ADVERSARIAL = "),
        ("sgan_tf.models.level_gan.LevelGAN.generator_losses", "    def generator_losses("),
        ("sgan_tf.config.schema.LossConfig.lambda_ent", "    lambda_ent: float"),
        ("sgan_tf.runs.checkpoint", '"""'),
    ],
)
def test_a_link_to_code_leads_to_the_line_where_it_is_defined(name, begins):
    path, line = hooks.locate(name)
    assert (ROOT / path).read_text().splitlines()[line - 1].startswith(begins)


@pytest.mark.parametrize(
    "name", ["sgan_tf.models.losses.Gone", "sgan_tf.models.losses.Binary.gone", "elsewhere.Gone"]
)
def test_a_link_to_code_that_is_gone_fails_the_build(name):
    with pytest.raises(PluginError, match=f"code:{name}: .*"):
        hooks.locate(name)


def test_a_page_of_the_root_is_moved_with_its_links():
    text = "[a](docs/page.md) ![b](docs/x.png) [c](CONTRIBUTING.md#tests) [d](docs/notebook.ipynb)"
    moved = "[a](page.md) ![b](x.png) [c](contributing.md#tests) [d](notebook.md)"
    assert hooks.moved(text) == moved


def test_only_public_names_are_documented():
    with pytest.raises(PluginError, match="no public name Stacked"):
        hooks.api(["load", "Stacked"])
    assert hooks.api(["load", "StackedGAN"]).split() == [
        *(":::", "sgan_tf.saving.load.load"),
        *(":::", "sgan_tf.models.stacked_gan.StackedGAN"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example.org/x.js"></script>',
        "<img alt=x src=//example.org/x.png>",
        '<link rel="stylesheet" href="https://fonts.example.org/css">',
        "@font-face { src: url(https://example.org/x.woff2) }",
        '@import "//example.org/x.css";',
    ],
)
def test_what_is_fetched_from_other_hosts_is_found(text):
    assert hooks.FETCHED.search(text)


@pytest.mark.parametrize(
    "text",
    [
        '<a href="https://arxiv.org/abs/1612.04357">the paper</a>',
        '<link rel="canonical" href="https://example.org/">',
        '<script src="assets/x.js"></script> <img src="data:image/png;base64,//">',
        "background: url(../x.svg)",
    ],
)
def test_links_and_own_files_are_not(text):
    assert not hooks.FETCHED.search(text)


def test_examples_at_the_margin_become_a_section_of_their_own():
    text = "Does it.\n\nReturns:\n    One.\n\nExample:\n\n>>> f()\n1\n>>> for i in f:\n...     i"
    section = "Examples:\n    >>> f()\n    1\n    >>> for i in f:\n    ...     i"
    assert griffe_examples.indented(text) == text.split("Example:")[0] + section
    assert griffe_examples.indented("Does it.") == "Does it."
