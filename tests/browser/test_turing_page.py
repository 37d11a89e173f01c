"""The page of the visual Turing test in Chromium, before a server that sgan-serve started."""

import contextlib
import json
import shutil
import sqlite3

import pytest
from processes import module, start

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed"),
]
WHOLE = 10  # rounds


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("votes") / "votes.sqlite"


@pytest.fixture(scope="module")
def turing_url(kept):
    arguments = ["--model", "digits", "--turing", "--dataset", "digits"]
    with start(module("serve"), [*arguments, "--votes", kept, "--port", "0"]) as process:
        yield json.loads(process.stdout.readline())["rest"]
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0 and err == "", err
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


@pytest.fixture(scope="module")
def chromium_of_turing():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(chromium_of_turing, turing_url):
    """A page that has asked for its first nine; it may ask no other host, and log no error."""
    context = chromium_of_turing.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else 0)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{turing_url}/turing")
    page.wait_for_selector("#grid img")
    page.said = said
    yield page
    assert all(url.startswith((turing_url, "data:image/png")) for url in asked)
    context.close()


def rows(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM votes ORDER BY id")]


def ready(page):
    page.wait_for_selector("#go[aria-disabled='false']:text('Answer')")


def answered(page):
    page.wait_for_selector("#go:text('Next nine')")


def test_nine_are_marked_by_keys_answered_and_explained_in_words(page, kept):
    buttons = page.get_by_role("group", name="Which are generated?").get_by_role("button")
    assert buttons.count() == 9
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for key in "1599":  # the last is taken back
        page.keyboard.press(key)
    buttons.nth(1).click()
    page.keyboard.press("Space")  # on the button that has the focus: taken back
    pressed = page.get_by_role("button", pressed=True)
    assert [button.get_attribute("aria-label") for button in pressed.all()] == [
        "Image 1",
        "Image 5",
    ]
    before = len(rows(kept))
    page.keyboard.press("Enter")
    answered(page)

    votes = rows(kept)[before:]
    assert [vote["called_real"] for vote in votes] == [0, 1, 1, 1, 0, 1, 1, 1, 1]
    for button, vote in zip(buttons.all(), votes):
        kind = "real" if vote["real"] else "generated"
        right = vote["real"] == vote["called_real"]
        said = button.get_attribute("aria-label")
        assert (
            f": {kind}, of class {vote['class_name']}" in said and said.endswith("right") == right
        )
        assert button.inner_text() == f"{kind}\n{'✓ right' if right else '✗ wrong'}"
    right = sum(vote["real"] == vote["called_real"] for vote in votes)
    assert page.get_by_role("status").inner_text().startswith(f"{right} of 9 right.")
    shown = page.locator("#you").inner_text().replace("\xa0", " ")
    assert shown.startswith(f"{100 * (9 - right) / 9:.1f} % of 9 images, 95 % interval ")
    scale = page.get_by_role("img", name=f"you {shown.rstrip('.')}")
    assert "SGAN in the paper 24.4" in scale.get_attribute("aria-label")
    page.keyboard.press("Enter")  # and the next nine are there
    ready(page)
    assert page.get_by_role("button", pressed=True).count() == 0 and page.said == []


def test_a_person_is_counted_once_and_ten_rounds_have_a_result(page, kept):
    other = page.get_by_role("button", name="Another person")
    for number in range(WHOLE):
        if number == WHOLE // 2:
            page.reload()  # the tab knows who it is
        ready(page)
        assert not other.is_visible()
        page.get_by_role("button", name="Answer").click()
        answered(page)
        if number < WHOLE - 1:
            page.get_by_role("button", name="Next nine").click()
    assert "10 rounds are done" in page.get_by_role("status").inner_text()
    mine = rows(kept)[-9 * WHOLE :]
    assert len({vote["session"] for vote in mine}) == 1
    other.click()
    ready(page)
    assert page.locator("#you").inner_text() == "No answers yet."
    page.get_by_role("button", name="Answer").click()
    answered(page)
    assert rows(kept)[-1]["session"] != mine[-1]["session"] and page.said == []


def test_what_fails_is_said_and_tried_again(page):
    page.route("**/votes", lambda route: route.abort())
    page.get_by_role("button", name="Image 3").click()
    page.get_by_role("button", name="Answer").click()
    page.wait_for_selector("#message.error:text('does not answer')")
    page.unroute("**/votes")
    page.route(
        "**/votes",
        lambda route: route.fulfill(status=404, body='{"error": "no such trial"}'),
        times=1,
    )
    page.get_by_role("button", name="Answer again").click()
    page.wait_for_selector("#message.error:text('no such trial')")
    page.route(
        "**/trials", lambda route: route.fulfill(status=429, body='{"error": "slower"}'), times=1
    )
    page.get_by_role("button", name="Next nine").click()
    page.wait_for_selector("#message.error:text('slower')")
    assert page.locator("#grid").get_attribute("aria-busy") == "false"
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("#grid img")
    page.wait_for_selector("#message:not(.error)")
