"""Takes the pictures of the page that docs/ shows: python tests/browser/pictures.py"""

import io
import pathlib
import sys

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
from opened import loaded, started, with_page  # noqa: E402

DOCS = FOLDER.parents[1] / "docs"
LINK = "#count=36&z0=2024&z1=17"
DESKTOP = dict(viewport={"width": 1240, "height": 900}, color_scheme="light")
PHONE = dict(viewport={"width": 390, "height": 844}, color_scheme="dark")
PHONE |= dict(device_scale_factor=2, is_mobile=True, has_touch=True)
MOST = 300_000  # bytes of a picture


def main():
    with started() as browser:
        with with_page(loaded("svhn")) as server:
            on_a_desktop(opened(browser, server, f"{LINK}&pick=3,33", DESKTOP))
        with with_page(loaded("digits")) as server:
            keep("phone", opened(browser, server, LINK, PHONE).screenshot())


def on_a_desktop(page):
    page.wait_for_selector("#walk-strip .here")
    page.get_by_label("all levels").check()
    page.locator("#walk-slider").fill("12")
    page.locator("#walk-slider").blur()
    keep("explore", page.screenshot(full_page=True))
    file = {"name": "seven.png", "mimeType": "image/png", "buffer": seven()}
    page.set_input_files("#file", file)
    page.wait_for_selector("#varied canvas")
    keep("image", page.locator("#reading").screenshot())


def opened(browser, server, link, context):
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{server.url}/{link}")
    page.wait_for_selector("#path [aria-label^='h₁ of']")
    return page


def keep(name, content):
    path = DOCS / f"page_{name}.png"
    Image.open(io.BytesIO(content)).convert("RGB").save(path, optimize=True)
    size = path.stat().st_size
    assert size < MOST, f"{path} has {size} bytes"
    print(f"{path}: {size} bytes")


def seven():
    """Returns a PNG of a drawn seven, white on black, of 64 x 64 pixels."""
    pixels = np.zeros((64, 64), np.uint8)
    pixels[8:16, 18:46] = 255
    for row in range(16, 56):
        left = 36 - int((row - 16) * 0.35)
        pixels[row, left : left + 9] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    main()
