"""What may be stored in a chapter's notebook, and how to bring one into that form.

    python tools/chapters.py check      names what should not be stored; exits with 1 if there is any
    python tools/chapters.py strip      removes it
    python tools/chapters.py outputs    runs each chapter, then strips it: the checked cells keep what they print

A stored notebook has the outputs of the cells tagged `nbval-check-output` only (texts, which the tests compare), no
widget states, and the metadata of a plain Python 3 kernel. Cell ids stay as they are.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
CHECKED = "nbval-check-output"
WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def strip(notebook: Any) -> None:
    """Leaves in `notebook` only what may be stored."""
    notebook.metadata = nbformat.from_dict(KERNEL)
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        # the tests compare a cell only if it has a count; this one does not depend on who ran it, and how often
        checked = CHECKED in cell.metadata.get("tags", [])
        cell.execution_count = count if checked else None
        # how far a long replication has come is shown in a widget, on a slow machine only
        cell.outputs = [output for output in cell.outputs if checked and WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({key: value for key, value in cell.metadata.items() if key == "tags"})


def stored(path: Path) -> str:
    """The text that `path` should hold."""
    notebook = nbformat.read(path, as_version=4)
    strip(notebook)
    return nbformat.writes(notebook) + "\n"


def run(path: Path) -> None:
    """Runs the chapter in its own folder and stores every cell's outputs."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": path.parent}}
    nbclient.NotebookClient(notebook, timeout=120, coalesce_streams=True, resources=where).execute()
    nbformat.write(notebook, path)


def main() -> int:
    """Does what the command line asks for every chapter; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["check", "strip", "outputs"])
    command = parser.parse_args().command
    unfit = 0
    for path in sorted(FOLDER.glob("*.ipynb")):
        if command == "outputs":
            print(f"running {path.name}")
            run(path)
        wanted = stored(path)
        if path.read_text(encoding="utf-8") == wanted:
            continue
        if command == "check":
            unfit += 1
            print(f"{path.name} stores what it should not; run: make format")
        else:
            path.write_text(wanted, encoding="utf-8")
    return 1 if unfit else 0


if __name__ == "__main__":
    sys.exit(main())
