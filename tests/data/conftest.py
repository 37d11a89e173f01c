"""A folder of two classes, and the log of reading it."""

import logging

import pytest
from picture_files import fill


@pytest.fixture
def log(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("sgan_tf"), "propagate", True)
    caplog.set_level(logging.INFO, "sgan_tf")
    return caplog


@pytest.fixture
def photos(tmp_path):
    fill(tmp_path / "photos" / "cats", 4)
    fill(tmp_path / "photos" / "dogs", 4)
    return tmp_path / "photos"
