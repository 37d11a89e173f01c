"""Takes the pictures of the page that docs/ shows: python tests/browser/pictures.py [MODEL]."""

import io
import pathlib
import sys

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
from opened import browser, loaded, with_page  # noqa: E402

DOCS = FOLDER.parents[1] / "docs"
LINK = "#count=36&z0=2024&z1=17"
MOST = 300_000  # bytes of a picture


def main(model="digits"):
    with browser() as chromium, with_page(loaded(model)) as server:
        desktop = dict(viewport={"width": 1240, "height": 900}, color_scheme="light")
        page = opened(chromium, server, f"{LINK}&pick=3,33", **desktop)
        page.wait_for_selector("#walk-strip .here")
        page.get_by_label("all levels").check()
        page.locator("#walk-slider").fill("12")
        page.locator("#walk-slider").blur()
        take(page, "explore")
        page.set_input_files(
            "#file", {"name": "seven.png", "mimeType": "image/png", "buffer": seven()}
        )
        page.wait_for_selector("#varied canvas")
        page.locator("#reading").scroll_into_view_if_needed()
        take(page, "image", "#reading")
        phone = dict(viewport={"width": 390, "height": 844}, color_scheme="dark")
        phone |= dict(device_scale_factor=2, is_mobile=True, has_touch=True)
        take(opened(chromium, server, LINK, **phone), "phone")


def opened(chromium, server, link, **context):
    page = chromium.new_context(**context).new_page()
    page.goto(f"{server.url}/{link}")
    page.wait_for_selector("#path [aria-label^='h₁ of']")
    return page


def take(page, name, part=None):
    path = DOCS / f"page_{name}.png"
    if part:
        page.locator(part).screenshot(path=path)
    else:
        page.screenshot(path=path, full_page=name != "phone")
    picture = Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    size = path.stat().st_size
    assert size < MOST, f"{path} has {size} bytes"
    print(path, picture.size, size)


def seven():
    """Returns a PNG of a drawn seven, white on black, of 64 x 64 pixels."""
    pixels = np.zeros((64, 64), np.uint8)
    pixels[1:10, 16:48] = 255
    for row in range(10, 63):
        left = 37 - int((row - 10) * 0.32)
        pixels[row, left : left + 10] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    main(*sys.argv[1:])
