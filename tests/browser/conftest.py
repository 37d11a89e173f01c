"""One server and one browser a module, as Playwright runs once a thread; a page for each test."""

import urllib.parse

import pytest
from opened import chromium, loaded, started, with_page


@pytest.fixture(scope="module")
def model():
    return loaded("digits")


@pytest.fixture(scope="module")
def site(model):
    with with_page(model) as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    if chromium() is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with started() as browser:
        yield browser


@pytest.fixture
def mishaps():
    """Errors of the console, scripts that failed and requests to other hosts."""
    return []


@pytest.fixture
def opened(browser, site, mishaps):
    """A function that opens a page, of which nothing may be left in `mishaps` at the end.

    It takes what stands behind the server's URL, the server, and options of Playwright's context.
    """
    contexts = []

    def opening(link="", server=site, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: mishaps.append(str(error)))
        page.on("console", lambda said: said.type == "error" and note(said))
        page.on("request", lambda request: abroad(request.url, server.url))
        page.goto(f"{server.url}/{link}")
        return page

    def note(said):
        # Whether there is a Turing test is found out by asking.
        if not said.location["url"].endswith("/turing/state"):
            mishaps.append(said.text)

    def abroad(url, home):
        local = url.startswith(("data:", "blob:"))
        if not local and urllib.parse.urlsplit(url).netloc != urllib.parse.urlsplit(home).netloc:
            mishaps.append(f"a request to {url}")

    yield opening
    for context in contexts:
        context.close()
    assert not mishaps


@pytest.fixture
def page(opened):
    """The page of digits, class 7, once it has drawn and read its first sample."""
    page = opened("#class=7&z0=1&z1=2")
    page.get_by_text("36 samples of class 7.").wait_for()
    page.get_by_role("img", name="h₁ of sample 1 of class 7").wait_for()
    return page
