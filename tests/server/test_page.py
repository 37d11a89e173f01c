"""The page's files as the server gives them: what a browser may do with them, and what is there."""

import re

import pytest
import requests
from served import error, served

from sgan_tf.saving import signatures
from sgan_tf.server import page


@pytest.fixture(scope="module")
def url(old):
    with served(old, page=True, grpc_port=None) as server:
        yield server.url


def test_a_page_of_its_own_files_alone(url):
    answer = requests.get(f"{url}/", timeout=60)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert policy[:3] == ["default-src 'none'", "script-src 'self'", "style-src 'self'"]
    assert {"connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} < set(policy)
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    named = re.findall(r'(?:src|href)="([^"]+\.\w+)"', answer.text)
    assert {"explore.js", "style.css", "icon.svg"} <= set(named)
    for name in named:
        assert requests.get(f"{url}/{name}", timeout=60).ok
    assert "style=" not in answer.text and "onclick" not in answer.text


def test_modules_import_what_is_there(url):
    scripts = [path.name for path in page.FOLDER.iterdir() if path.suffix == ".js"]
    scripts.remove("turing.js")  # of the test's own page
    for name in scripts:
        answer = requests.get(f"{url}/{name}", timeout=60)
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert set(re.findall(r'from "\./(.+?)"', answer.text)) <= set(scripts)


def test_scripts_ask_for_signatures_by_the_names_that_exports_have():
    text = "".join(path.read_text(encoding="utf-8") for path in page.FOLDER.glob("*.js"))
    asked = set(re.findall(r'predict\("(\w+)"', text))
    assert asked == {signatures.DECODE, signatures.ENCODE, signatures.DESCRIBE}
    numbered = set(re.findall(r'numbered\("(\w+)", level\)', text))
    assert numbered == {signatures.features(1), signatures.render(1)}


def test_what_the_page_is_about_and_no_other_file(url):
    assert requests.get(f"{url}/page.json", timeout=60).json() == {"model": "sgan"}
    for path in ("/page.py", "/..%2fpage.py", "/web/explore.js", "/explore.js/"):
        error(requests.get(f"{url}{path}", timeout=60), 404)
    error(requests.post(f"{url}/", timeout=60), 405)
