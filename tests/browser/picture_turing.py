"""Takes docs/page_turing.png: python tests/browser/picture_turing.py"""

import json
import pathlib
import shutil
import sys
import tempfile

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from processes import module, start  # noqa: E402

PICTURE = ROOT / "docs" / "page_turing.png"
ROUNDS = ("135", "24", "1789", "36", "257")  # keys that are pressed before answering


def main(out=PICTURE, width=1040, height=760, scheme="light"):
    arguments = ["--model", "digits", "--turing", "--dataset", "digits", "--port", "0"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        votes = pathlib.Path(folder) / "votes.sqlite"
        with start(module("serve"), [*arguments, "--votes", votes]) as server:
            url = json.loads(server.stdout.readline())["rest"]
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            size = {"width": int(width), "height": int(height)}
            page = chromium.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
            page.goto(f"{url}/turing")
            for number, keys in enumerate(ROUNDS):
                page.wait_for_selector("#go[aria-disabled='false']:text('Answer')")
                for key in keys:
                    page.keyboard.press(key)
                page.keyboard.press("Enter")
                page.wait_for_selector("#go:text('Next nine')")
                if number < len(ROUNDS) - 1:
                    page.keyboard.press("Enter")
            page.screenshot(path=out, full_page=True)
            chromium.close()
            server.terminate()
            server.communicate(timeout=60)
    picture = Image.open(out).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(out, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
