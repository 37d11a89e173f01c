"""Exploring a stack in the browser: each thing that people can do there, by what they see."""

import io
import re

import numpy as np
import pytest
from foreign import three_levels
from opened import asked, grey, loaded, pixels, with_page
from PIL import Image
from processes import ROOT

from sgan_tf.saving.signatures import DECODE, ENCODE, render

READ = "() => navigator.clipboard.readText()"


def cell(page, number):
    return page.get_by_role("button", name=f"sample {number} of")


def shown(page, number):
    return pixels(cell(page, number).locator("canvas"))


def link(page):
    return page.evaluate("() => location.hash")


def redraw(page):
    return lambda: page.get_by_role("button", name="Redraw").click()


def test_every_class_has_a_column_and_images_are_the_servers(opened):
    page = opened()
    page.get_by_text("40 samples of every class.").wait_for()
    sent, images = asked(page, DECODE, redraw(page))
    assert sent["labels"].tolist() == list(range(10)) * 4
    assert 0.3 < sent["z0"].mean() < 0.7 and sent["z0"].min() >= 0 and sent["z0"].max() < 1
    assert len(np.unique(sent["z1"], axis=0)) == 40
    page.get_by_text("40 samples of every class.").wait_for()
    for number in (1, 24):
        picture = page.get_by_role("button", name=f"sample {number} of class {(number - 1) % 10}")
        drawn = pixels(picture.locator("canvas"))
        assert np.abs(drawn[..., 0] - grey(images[number - 1])).max() <= 1


def test_another_class_has_the_same_noise(page):
    before, _ = asked(page, DECODE, lambda: page.get_by_label("3", exact=True).check())
    after, _ = asked(page, DECODE, lambda: page.get_by_label("5", exact=True).check())
    assert set(before["labels"]) == {3} and set(after["labels"]) == {5}
    np.testing.assert_array_equal(before["z1"], after["z1"])
    assert link(page).startswith("#class=5&count=36&z0=1&z1=2")
    more, _ = asked(page, DECODE, lambda: page.get_by_label("Show").select_option("64"))
    np.testing.assert_array_equal(more["z0"][:36], after["z0"])
    assert len(more["labels"]) == page.locator("#grid button").count() == 64


def test_a_locked_level_keeps_its_noise(page):
    first, _ = asked(page, DECODE, redraw(page))
    lock = [page.get_by_role("button", name=f"Lock level {i}") for i in (0, 1)]
    lock[1].click()
    assert lock[1].get_attribute("aria-pressed") == "true"
    assert lock[0].get_attribute("aria-pressed") == "false"
    second, _ = asked(page, DECODE, redraw(page))
    np.testing.assert_array_equal(first["z1"], second["z1"])
    assert (first["z0"] != second["z0"]).mean() > 0.9
    lock[0].click()
    redraw(page)()
    page.get_by_text("All levels are locked").wait_for()


def test_one_noise_for_all_leaves_the_others_apart(page):
    cell(page, 5).click()
    share = page.get_by_role("button", name="Same for all: level 1")
    before, _ = asked(page, DECODE, redraw(page))
    sent, _ = asked(page, DECODE, share.click)
    np.testing.assert_array_equal(sent["z1"], np.tile(before["z1"][4], (36, 1)))
    np.testing.assert_array_equal(sent["z0"], before["z0"])
    assert share.get_attribute("aria-pressed") == "true" and "@4" in link(page)


def test_a_walk_leads_from_one_sample_to_the_other(page):
    page.get_by_text("Select two samples").wait_for()
    cell(page, 2).click()
    sent, frames = asked(page, DECODE, cell(page, 8).click)
    page.get_by_role("heading", name="Walk from sample 2 of class 7 to sample 8").wait_for()
    assert len(frames) == 25 and np.ptp(sent["z0"], axis=0).max() == 0
    ends = sent["z1"][[0, 24]]
    np.testing.assert_allclose(sent["z1"][12], ends.mean(0), atol=1e-12)
    slider = page.get_by_role("slider")
    slider.fill("24")
    assert slider.get_attribute("aria-valuetext") == "100 % of the way"
    middle = page.locator("#walk-image")
    assert np.abs(pixels(middle)[..., 0] - grey(frames[24])).max() <= 1
    asked(page, DECODE, lambda: page.get_by_label("all levels").check())
    same = "document.getElementById('walk-image').toDataURL() === "
    page.wait_for_function(f"() => {same}document.getElementById('walk-end-b').toDataURL()")
    np.testing.assert_array_equal(pixels(page.locator("#walk-end-b")), shown(page, 8))


def test_the_path_is_drawn_as_the_stack_it_is(page):
    sent, known = asked(page, ENCODE, cell(page, 3).click)
    page.get_by_role("img", name="h₁ of sample 3 of class 7").wait_for()
    np.testing.assert_allclose(255 * sent["images"][0, ..., 0], shown(page, 3)[..., 0], atol=0.51)
    parts = page.locator("#path > li").all_inner_texts()
    order = ["class", "Level 1 makes features h₁", "h₁", "Level 0 makes the image", "image"]
    assert [text.startswith(part) for text, part in zip(parts, order, strict=True)] == [True] * 5
    drawn = pixels(page.get_by_role("img", name="h₁ of"))[0, :, 3]
    features = np.array(known["features"][0])
    np.testing.assert_allclose(drawn, 255 * features / features.max(), atol=0.51)
    np.testing.assert_array_equal(pixels(page.locator("#path .pixels")), shown(page, 3))


# An image of one's own


def drop(page, content, name, kind):
    transfer = page.evaluate_handle(
        """([bytes, name, type]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
        return transfer;
    }""",
        [list(content), name, kind],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def picture(mode="RGB"):
    """A PNG of 24 x 16 pixels, red at its left and right, which are cut off."""
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[..., 0] = 255
    pixels[:, 4:20] = 60, 120, 240
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "PNG")
    return file.getvalue()


def test_a_dropped_image_is_read_rebuilt_and_varied(page):
    act = lambda: drop(page, picture(), "sea.png", "image/png")  # noqa: E731
    sent, known = asked(page, ENCODE, act)
    page.get_by_text("Read as").wait_for()
    grey_of_it = (0.299 * 60 + 0.587 * 120 + 0.114 * 240) / 255
    assert sent["images"].shape == (1, 8, 8, 1)
    np.testing.assert_allclose(sent["images"], grey_of_it, atol=0.03)
    probabilities = np.array(known["probabilities"][0])
    bars = page.locator("#bars li").all_inner_texts()
    assert len(bars) == 10
    shares = [float(bar.split()[-2]) for bar in bars]
    np.testing.assert_allclose(shares, 100 * probabilities, atol=0.051)
    best = int(probabilities.argmax())
    page.get_by_text(f"Read as {best}, at {round(100 * probabilities[best])} %.").wait_for()
    assert page.get_by_role("img", name="reconstruction from level").count() == 2
    titles = [f"Variations: h₁ kept, z₀ new, {i}" for i in (1, 8)]
    titles += [f"The same {best}, another hand: z₀ new, all else kept, 8"]
    titles += [f"The same {best}, other features: z₁ new, all else kept, 8"]
    for title in titles:
        page.get_by_role("img", name=title).wait_for()

    draw = page.get_by_role("button", name="Draw anew").click
    rows, _ = asked(page, render(1), draw)
    np.testing.assert_allclose(rows["features"], np.tile(known["features"][0], (9, 1)))
    np.testing.assert_allclose(rows["z0"][0], known["z0"][0])
    assert len(np.unique(rows["z0"], axis=0)) == 9
    rows, _ = asked(page, DECODE, draw)
    assert set(rows["labels"]) == {best}
    np.testing.assert_allclose(rows["z1"][:9], np.tile(known["z1"][0], (9, 1)))
    np.testing.assert_allclose(rows["z0"][9:], np.tile(known["z0"][0], (8, 1)))

    invert = page.get_by_label("Exchange light and dark").check
    dark, _ = asked(page, ENCODE, invert)
    np.testing.assert_allclose(dark["images"], 1 - sent["images"])


def test_a_sample_is_an_image_too(page):
    cell(page, 4).click()
    page.get_by_role("button", name="Take the selected sample").click()
    page.get_by_text("Read as 7").wait_for()
    np.testing.assert_array_equal(pixels(page.locator("#given")), shown(page, 4))
    assert page.locator("#given-name").inner_text() == "sample 4 of class 7"


def test_what_is_no_image_is_said(page):
    page.set_input_files(
        "#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"words"}
    )
    page.get_by_role("status").get_by_text("notes.txt is no image that this browser").wait_for()
    half = {"name": "half.png", "mimeType": "image/png", "buffer": picture()[:40]}
    page.set_input_files("#file", half)
    page.get_by_role("status").get_by_text("half.png is no image").wait_for()
    page.evaluate("""() => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(21e6)], "huge.png", { type: "image/png" }));
        const drop = new DragEvent("drop", { dataTransfer: transfer });
        document.getElementById("drop").dispatchEvent(drop);
    }""")
    page.get_by_role("status").get_by_text("huge.png has 21 MB; at most 20 MB").wait_for()
    assert page.locator("#read").is_hidden()


# What is kept


def test_a_grid_is_saved_and_its_link_gives_the_same_images(opened):
    page = opened("#class=7", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_text("36 samples of class 7.").wait_for()
    cell(page, 6).click()
    with page.expect_download() as caught:
        page.get_by_role("button", name="Save PNG").click()
    assert caught.value.suggested_filename == "digits-class-7.png"
    saved = np.asarray(Image.open(caught.value.path()))
    assert saved.shape[:2] == (302, 302)  # 6 x 6 images, six pixels for each of theirs
    np.testing.assert_array_equal(saved[2:50:6, 52:100:6, 0], shown(page, 2)[..., 0])

    page.get_by_role("button", name="Copy link").click()
    page.get_by_text("The link is copied").wait_for()
    address = page.evaluate(READ)
    assert address.endswith(f"/{link(page)}")
    again = opened(address.rpartition("/")[2])
    again.get_by_text("36 samples of class 7.").wait_for()
    for number in (1, 36):
        np.testing.assert_array_equal(shown(again, number), shown(page, number))
    assert cell(again, 6).get_attribute("aria-pressed") == "true"


def test_a_link_of_nonsense_is_a_first_visit(opened):
    page = opened("#class=99&count=5&z0=-1&z1=9999999999&lock=x,7&pick=1000,-1")
    page.get_by_text("40 samples of every class.").wait_for()
    assert re.fullmatch(r"#count=36&z0=\d+&z1=\d+", link(page)) and "9999999999" not in link(page)


# Whom it serves


def tab_to(page, name):
    """Presses Tab until the element of an accessible name has the focus."""
    for _ in range(30):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => { const { ariaLabel, labels, textContent } = document.activeElement; "
            "return ariaLabel ?? (labels?.length ? labels[0] : { textContent }).textContent; }"
        )
        if name in focused:
            return
    raise AssertionError(f"Tab does not come to {name}, but to {focused}")


def test_the_keyboard_alone_does_it_all(opened):
    page = opened("#z0=1&z1=2")
    page.get_by_text("40 samples of every class.").wait_for()
    press = page.keyboard.press
    tab_to(page, "all")
    sent, _ = asked(page, DECODE, lambda: press("ArrowRight"))
    assert set(sent["labels"]) == {0}
    tab_to(page, "Redraw")
    asked(page, DECODE, lambda: press("Enter"))
    page.get_by_text("36 samples of class 0.").wait_for()
    tab_to(page, "sample 1 of")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        press(key)
    assert cell(page, 8).get_attribute("aria-pressed") == "true"
    for key in ("Home", "ArrowLeft"):
        press(key)
    asked(page, DECODE, lambda: press("Space"))
    assert link(page).endswith("pick=7,0")
    tab_to(page, "Lock level 1")
    press("Space")
    assert "lock=1" in link(page)
    tab_to(page, "How far")
    press("ArrowRight")
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "4 % of the way"
    tab_to(page, "Take the selected sample")
    press("Enter")
    page.get_by_text("Read as 0").wait_for()


def test_a_phone_in_the_dark_and_every_control_has_a_name(opened):
    phone = dict(viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True)
    page = opened("#class=7&pick=1,2", **phone, reduced_motion="reduce")
    page.get_by_role("heading", name="Walk from sample 2").wait_for()
    page.get_by_role("button", name="Take the selected sample").click()
    page.get_by_text("Read as").wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    light = "e => getComputedStyle(document.body)[e].match(/\\d+/g).reduce((s, x) => s + +x, 0)"
    assert page.evaluate(light, "backgroundColor") < 150 < 600 < page.evaluate(light, "color")
    assert page.evaluate("() => getComputedStyle(grid).transitionDuration") in ("0s", "0s, 0s")
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "link", "radio", "checkbox", "slider", "combobox", "img", "image"}
    controls = [n for n in tree if not n["ignored"] and n["role"]["value"] in roles]
    nameless = [n for n in controls if not n.get("name", {}).get("value", "").strip()]
    assert len(controls) > 60 and not nameless


# What can go wrong


def test_a_busy_server_is_asked_again_and_one_that_is_gone_is_said(opened, model, mishaps):
    with with_page(model) as server:
        page = opened("#class=7", server)
        page.get_by_text("36 samples of class 7.").wait_for()
        busy = {"status": 503, "headers": {"Retry-After": "1"}, "body": '{"error": "busy"}'}
        page.route("**:predict", lambda route: route.fulfill(**busy), times=1)
        redraw(page)()
        page.get_by_text("The server is busy; asking again in 1 s.").wait_for()
        page.get_by_text("36 samples of class 7.").wait_for()
        wrong = {"status": 400, "body": '{"error": "no such thing"}'}
        page.route("**:predict", lambda route: route.fulfill(**wrong), times=1)
        redraw(page)()
        page.get_by_text("The server answered 400: no such thing").wait_for()
        page.get_by_role("button", name="Try again").click()
        page.get_by_text("36 samples of class 7.").wait_for()
        assert page.get_by_role("button", name="Try again").is_hidden()
    redraw(page)()
    page.get_by_role("status").get_by_text("The server does not answer").wait_for()
    assert page.get_by_role("button", name="Try again").is_visible()
    mishaps.clear()  # the console has the requests that failed


# Other models


def test_an_export_without_names_has_numbers(opened):
    old = loaded(ROOT / "tests" / "fixtures" / "v0.1.0" / "export", "old")
    with with_page(old) as server:
        page = opened("#class=3", server)
        page.get_by_text("36 samples of class 3.").wait_for()
        asked(page, ENCODE, cell(page, 2).click)


def test_an_image_is_rebuilt_and_varied_from_every_level(opened):
    with with_page(three_levels(3)) as server:
        page = opened(server=server)
        page.get_by_text("samples of every class.").wait_for()
        act = lambda: drop(page, picture(), "sea.png", "image/png")  # noqa: E731
        rows, answer = asked(page, render(2), act)
        page.get_by_text("Read as").wait_for()
        np.testing.assert_allclose(rows["z0"][0], rows["z1"][0])  # as `encode` says
        assert len(np.unique(rows["z0"], axis=0)) == len(np.unique(rows["z1"], axis=0)) == 9
        rebuilt = page.get_by_role("img", name="reconstruction from level")
        levels = [image.get_attribute("aria-label") for image in rebuilt.all()]
        says = ["2: the class, all noise", "1: h₂ and z₀, z₁", "0: h₁ and z₀"]
        assert levels == [f"reconstruction from level {text} as read" for text in says]
        np.testing.assert_allclose(
            pixels(rebuilt.nth(1))[..., :3], 255 * np.array(answer[0]), atol=0.51
        )
        last = page.get_by_role("img", name="Variations: h₂ kept, z₀, z₁ new, 8")
        np.testing.assert_allclose(pixels(last)[..., :3], 255 * np.array(answer[8]), atol=0.51)


@pytest.mark.parametrize("classes", [1, 300])
def test_no_classes_many_classes_and_three_levels_of_normal_noise(opened, classes):
    with with_page(three_levels(classes)) as server:
        page = opened("#pick=1,2", server)
        chooser = page.get_by_role("combobox", name="Class")
        if classes == 1:
            page.get_by_text("36 samples of three.").wait_for()
            assert chooser.count() == 0
        else:
            page.get_by_text("36 samples of every class.").wait_for()
            act = lambda: chooser.select_option("name 299")  # noqa: E731
            assert set(asked(page, DECODE, act)[0]["labels"]) == {299}
            page.get_by_text("36 samples of class name 299.").wait_for()
        assert page.locator("#path .level").count() == 3
        sent, _ = asked(page, DECODE, lambda: page.get_by_label("all levels").check())
        lengths = np.linalg.norm(sent["z2"], axis=1)
        ends = sorted(lengths[[0, 24]])
        assert (
            ends[0] * 0.99 < lengths[12] < ends[1] * 1.01
        )  # not on the line, which is nearer to 0
        middle = sent["z0"][[0, 24]].mean(0)
        np.testing.assert_allclose(sent["z0"][12], middle, atol=1e-12)
