"""The report and the printed table: what stands in them, of few classes and of many."""

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from sgan_tf.evaluation.figures import curve_drawings
from sgan_tf.evaluation.report import html, shown_classes, table
from sgan_tf.utils.images import image_grid, png

VOID = {"meta", "img", "br", "wbr"}
METRICS = [
    {"stage": stage, "epoch": e, "step": e, "adv_0": 1 / e, "spread_0": 1.0, "seconds": 1}
    for stage in ("level0", "joint")
    for e in (1, 2, 3)
]


def facts_of(class_names, warnings=()):
    """Facts of an evaluation; the class c has an fcd_class of c, and the real one 100 more."""
    by_class = {f"fcd50k_class_{name}": float(c) for c, name in enumerate(class_names)}
    scores = {"cs50k_10x5k": 9.5, "fcd50k_train": 0.51, "conditional_spread_h_1": 0.4}
    samples = {**scores, "fcd50k_class": 77.0, **by_class}
    real = {name: number + 100 for name, number in samples.items() if "spread" not in name}
    return {
        "run": "runs/mine",
        "settings": {"samples": 50_000, "seed": 0, "precision": "bfloat16"},
        "data": {"name": "folder", "class_names": list(class_names), "test_images": 300},
        "warnings": list(warnings),
        "judge": {"test_accuracy": 0.9},
        "samples": samples,
        "real": real,
        "versions": {},
        "config": {},
    }


@pytest.fixture
def picture():
    return png(image_grid(np.zeros((4, 8, 8, 1), np.uint8), 2))


class Page(HTMLParser):
    """Reads a page: its text piece by piece, and whether every element is closed where it must."""

    def __init__(self, text):
        super().__init__()
        self.open, self.faults, self.pieces = [], [], []
        self.feed(text)
        self.faults += [f"{tag} is left open" for tag in self.open if tag != "html"]

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"{tag} closes what is not open")

    def handle_data(self, data):
        self.pieces += [data.strip()] if data.strip() else []


def words(page):
    return " ".join(Page(page).pieces)


def test_the_page_is_whole_and_takes_nothing_from_elsewhere(picture):
    for classes in (3, 30):
        names = [f"<{c}> & co" for c in range(classes)]
        page = html(facts_of(names), {"A: b": picture}, curve_drawings(METRICS))
        assert Page(page).faults == [] and page.lower().startswith("<!doctype html>")
        assert "<script" not in page and not re.search(r"@import|url\((?!#)", page)
        assert not re.search(r'(src|href)="(?!data:|#)', page)
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))


def test_it_says_what_the_samples_were_computed_in(picture):
    page = html(facts_of("ab"), {"A: b": picture}, curve_drawings(METRICS))
    assert "50,000 samples in bfloat16, seed 0." in words(page)


def test_it_fits_a_narrow_window_and_a_dark_one(picture):
    page = html(facts_of("ab"), {"A: b": picture}, curve_drawings(METRICS))
    assert '<meta name="viewport" content="width=device-width' in page
    assert "@media (prefers-color-scheme: dark)" in page and "image-rendering: pixelated" in page
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(drawings) == 2 and all("currentColor" in drawing for drawing in drawings)
    assert all("adv_0</text>" in drawing for drawing in drawings)  # words, and not pictures of them


def test_warnings_stand_first_then_pictures_then_scores(picture):
    facts = facts_of("ab", ["the judge's test accuracy 0.0000 is near chance"])
    page = html(facts, {"(a) Samples: a row": picture}, curve_drawings(METRICS))
    places = [page.index(what) for what in ("near chance", "data:image", "fcd", "<svg")]
    assert places == sorted(places)


def test_what_is_shown_is_explained_where_it_stands():
    text = words(html(facts_of("ab"), {}, curve_drawings(METRICS)))
    for term, meaning in (
        ("h_i", "is what level i generates"),
        ("z_i", "is the noise that level i"),
    ):
        assert f"{term} {meaning}" in text
    assert "Q_i is the part of the discriminator" in text
    assert (
        "classifier score: how surely the judge" in text and "adv_i, cond_i and ent_i are" in text
    )
    assert "how widely generated h_1 spread where only the noise z_1 differs" in text
    assert "Fréchet distance of the judge's features inside the class" in text


def test_a_real_score_does_not_stand_under_the_samples_number():
    text = words(html(facts_of("ab"), {}))
    assert "samples N = 50,000 real test set N = 300" in text
    assert "csN 9.5 109.5" in text and "fcdN_ train 0.51 100.5" in text
    assert "50k" not in text
    head = table(facts_of("ab")).splitlines()[0]
    assert head.split("  ")[-1].strip() == "300 real test images" and "50,000 samples" in head


def test_few_classes_have_a_row_each():
    facts = facts_of([f"class{c}" for c in range(20)])
    text = words(html(facts, {}))
    assert "class7 7 107" in text and "class19 19 119" in text and "mean 9.5 109.5" in text
    assert "77" not in text  # the mean stands once, with its classes
    lines = [line.split() for line in table(facts).splitlines()]
    assert ["class7", "7", "(107)"] in lines and ["mean", "9.5", "(109.5)"] in lines
    assert shown_classes(facts) is None


def test_many_classes_are_summarised():
    facts = facts_of([f"class{c}" for c in range(21)])
    text = words(html(facts, {}))
    worst = " ".join(f"class{c} {c} ({c + 100})" for c in (20, 19, 18, 17, 16))
    best = " ".join(f"class{c} {c} ({c + 100})" for c in range(5))
    assert f"fcd_ class 10 (110) {worst} {best}" in text
    assert "class7" not in text and "class7" not in table(facts)
    assert f"worst: {worst.replace(') c', '), c')}" in table(facts)
    assert f"best: {best.replace(') c', '), c')}" in table(facts)
    assert "fcd_class: mean 10 (real 110)" in table(facts)
    assert shown_classes(facts) == [20, 19, 18, 17, 16, 0, 1, 2, 3, 4]
    facts["samples"] = {"cs50k_10x5k": 9.5}
    assert shown_classes(facts) == list(range(10))


def test_pictures_are_as_wide_as_they_are(picture):
    page = html(facts_of("ab"), {"(a) Samples: a row": picture})
    assert f'width="{Image.open(io.BytesIO(picture)).width}"' in page
    assert "<b>(a) Samples</b>: a row" in page


def test_small_pictures_are_enlarged_pixel_by_pixel_and_large_ones_are_not(picture):
    large = png(image_grid(np.zeros((10, 64, 64, 1), np.uint8), 10))
    tall = png(image_grid(np.zeros((20, 8, 8, 1), np.uint8), 2))
    page = html(facts_of("ab"), {"A: b": picture, "C: d": large, "E: f": tall})
    kinds = re.findall(r'<figure class="([\w ]+)">', page)
    assert kinds == ["small", "large", "small tall"]
    assert re.search(r"\.small img { image-rendering: pixelated", page)
    assert not re.search(r"(figure|\.large) img {[^}]*pixelated", page)
