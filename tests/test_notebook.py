"""docs/notebook.ipynb runs from top to bottom."""

import nbformat
import pytest
from nbclient import NotebookClient
from processes import ROOT


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 7
