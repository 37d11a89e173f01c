"""The page in a real browser: a Chromium of the system's, driven by Playwright."""

import contextlib
import shutil

import numpy as np
from playwright.sync_api import sync_playwright
from served import served

from sgan_tf.server.model import Model
from sgan_tf.server.servable import open_source

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium():
    """Returns the path of a browser that Playwright can drive, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def started():
    """Starts Chromium; yields Playwright's `Browser`."""
    with sync_playwright() as playwright:
        options = dict(executable_path=chromium(), args=["--no-sandbox"])
        browser = playwright.chromium.launch(**options)
        yield browser
        browser.close()


def loaded(source, name=None):
    """Returns a `Model`, of which the newest version is loaded."""
    model = Model(open_source(source), name)
    model.refresh()
    return model


def with_page(model):
    """Serves a model with its page: see `served`."""
    return served(model, page=True, grpc_port=None)


def asked(page, signature, act):
    """Does something; returns what it asks of a signature, `{input: array}`, and the answer."""

    def matches(request):
        sent = request.post_data_json if request.url.endswith(":predict") else {}
        return sent.get("signature_name") == signature

    with page.expect_request(matches) as caught:  # not an answer, which may be to one of before
        act()
    sent = caught.value.post_data_json["inputs"]
    outputs = caught.value.response().json()["outputs"]
    return {name: np.array(rows) for name, rows in sent.items()}, outputs


def pixels(canvas):
    """Returns what a canvas shows: `[H, W, 4]`."""
    drawn = canvas.evaluate(
        "c => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(drawn[2:]).reshape(drawn[0], drawn[1], 4)


def grey(image):
    """An image of the server's as a canvas shows its first channel."""
    return np.round(255 * np.array(image)[..., 0])
