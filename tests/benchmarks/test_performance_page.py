"""docs/performance.md: what the command writes of it, and what it keeps."""

import pytest
import report

from sgan_tf.cli.app import UsageError

NOTES = "What was tried:\n\n### XLA\n\n| a | b |\n|---|---|\n| 1 | 2 |"


@pytest.fixture
def benchmarks(tmp_path, monkeypatch):
    """A folder of two small benchmarks, of which the second fails; and a page's path."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    usage = '"""Measure.\n\n    python benchmarks/a.py\n\nLess is better.\n"""\n'
    (folder / "a.py").write_text(f"{usage}import sys\nprint(f'| {{sys.argv[1]}} |')\n")
    (folder / "b.py").write_text(f"{usage}raise SystemExit(2)\n")
    monkeypatch.setattr(report, "FOLDER", folder)
    parts = {"a": ("First", ["a.py", "7"]), "b": ("Second", ["b.py"])}
    monkeypatch.setattr(report, "PARTS", parts)
    return parts, tmp_path / "performance.md"


def test_a_section_holds_command_explanation_and_table(benchmarks):
    parts, path = benchmarks
    assert report.write(path, {"a": parts["a"]}) == 0
    sections = report.read_sections(path.read_text())
    command, explanation, table = sections["First"].split("\n\n")
    assert command.startswith("`python benchmarks/a.py 7`: ") and "load average" in command
    assert (explanation, table) == ("Less is better.", "| 7 |")
    assert "| cores |" in sections["Machine"] and "Second" not in sections


def test_notes_and_what_failed_are_kept(benchmarks):
    parts, path = benchmarks
    report.write(path, {"a": parts["a"]})
    sections = report.read_sections(path.read_text())
    path.write_text(report.page({**sections, "Second": "as it was", "Notes": NOTES}))
    assert report.write(path, parts) == 1
    kept = report.read_sections(path.read_text())
    assert kept["Notes"] == NOTES and kept["Second"] == "as it was"


def test_sections_of_two_machines_do_not_share_a_page(benchmarks):
    parts, path = benchmarks
    path.write_text(report.page({"Machine": "another", "Second": "its table", "Notes": NOTES}))
    before = path.read_text()
    with pytest.raises(UsageError, match="another machine"):
        report.write(path, {"a": parts["a"]})
    assert path.read_text() == before


def test_of_another_machine_the_notes_alone_are_kept(benchmarks):
    parts, path = benchmarks
    path.write_text(report.page({"Machine": "another", "Second": "its table", "Notes": NOTES}))
    before = path.read_text()
    assert report.write(path, {"b": parts["b"]}) == 1
    assert path.read_text() == before  # nothing was measured
    assert report.write(path, parts) == 1
    kept = report.read_sections(path.read_text())
    assert "Second" not in kept and "First" in kept and kept["Notes"] == NOTES
