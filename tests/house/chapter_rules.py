"""The rules of a chapter, as one function from a notebook (its JSON) to the list of rules that it breaks."""

import ast
import re
from collections.abc import Iterator
from typing import Any

WORDS = (1200, 2500)
CODE_LINES = 120
CHECKS = 3
CHECKED = "nbval-check-output"
RESULTS = {"run", "replicate", "sweep", "compare", "draw", "theatre", "summary", "messages"}
"""Calls that show the learner a result; none may stand before the prediction."""
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|Users|tmp|var|opt|work|mnt)/\w|[A-Z]:\\\\?Users")

Cell = dict[str, Any]


def text(cell: Cell) -> str:
    """The source of a cell as one string."""
    return "".join(cell["source"])


def cells(notebook: dict[str, Any], kind: str) -> list[Cell]:
    """The cells of one kind, in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def prose(notebook: dict[str, Any]) -> str:
    """All markdown without code blocks."""
    joined = "\n\n".join(text(cell) for cell in cells(notebook, "markdown"))
    return re.sub(r"```.*?```", " ", joined, flags=re.DOTALL)


def word_count(notebook: dict[str, Any]) -> int:
    """Words of the prose, without tags and addresses of links."""
    without_links = re.sub(r"\]\([^)]*\)", "] ", prose(notebook))
    return len(re.findall(r"\w+(?:[-'’.,]\w+)*", re.sub(r"<[^>]+>", " ", without_links)))


def code_line_count(notebook: dict[str, Any]) -> int:
    """Lines of code that are neither empty nor a comment."""
    lines = [line.strip() for cell in cells(notebook, "code") for line in text(cell).splitlines()]
    return sum(1 for line in lines if line and not line.startswith("#"))


def calls(code: str) -> Iterator[list[str]]:
    """The dotted name of each call, split at the dots."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call):
            yield re.findall(r"\w+", ast.unparse(node.func))


def code_problems(notebook: dict[str, Any]) -> Iterator[str]:
    """Rules about code: its budget, plain Python, no classes, the prediction first, enough checks."""
    sources = [text(cell) for cell in cells(notebook, "code")]
    if code_line_count(notebook) > CODE_LINES:
        yield f"{code_line_count(notebook)} lines of code; the budget is {CODE_LINES}"
    try:
        trees = [ast.parse(source) for source in sources]
    except SyntaxError as error:
        yield f"a cell is not plain Python: {error.msg}: {error.text}"
        return
    if any(isinstance(node, ast.ClassDef) for tree in trees for node in ast.walk(tree)):
        yield "a class definition; classes belong to the library"
    named = [list(calls(source)) for source in sources]
    predicting = [index for index, names in enumerate(named) if any("predict" in name for name in names)]
    if not predicting:
        yield "no prediction (course.predict)"
    elif any(name[-1] in RESULTS for names in named[: predicting[0]] for name in names):
        yield "a result is shown before the prediction"
    checks = sum("check" in name for names in named for name in names)
    if checks < CHECKS:
        yield f"{checks} checks (course.check); at least {CHECKS} are wanted"


def prose_problems(notebook: dict[str, Any]) -> Iterator[str]:
    """Rules about prose: a question as the title, the budget of words, a text for each picture."""
    first = text(notebook["cells"][0]).strip().splitlines()[0]
    if notebook["cells"][0]["cell_type"] != "markdown" or not (first.startswith("# ") and "?" in first):
        yield f"the title is not a question: {first!r}"
    if not WORDS[0] <= word_count(notebook) <= WORDS[1]:
        yield f"{word_count(notebook)} words; the budget is {WORDS[0]} to {WORDS[1]}"
    if re.search(r"!\[\s*\]\(", prose(notebook)):
        yield "a picture without alt text"
    for tag in re.findall(r"<(?:img|svg)\b[^>]*>", prose(notebook)):
        if not re.search(r"""\b(?:alt|aria-label)\s*=\s*["'][^"']""", tag):
            yield f"a picture without alt text: {tag[:60]}"


def is_text(output: Cell) -> bool:
    """Whether a stored output is text or a table, and neither an error, nor a picture, nor a widget."""
    if output["output_type"] == "error" or output.get("name") == "stderr":
        return False
    shown = output.get("data", {})
    return set(shown) <= {"text/plain", "text/markdown", "text/html"} and not re.search(r"<(?:svg|img)", str(shown))


def storage_problems(notebook: dict[str, Any]) -> Iterator[str]:
    """Rules about what is stored: kernel, ids, outputs of checked cells only, nothing of one machine."""
    if notebook["metadata"].get("kernelspec", {}).get("name") != "python3":
        yield "no kernelspec named python3; JupyterLab would ask for a kernel"
    ids = [cell.get("id", "") for cell in notebook["cells"]]
    if len(set(ids)) < len(ids) or not all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in ids):
        yield "cells without an id of their own"
    checked = 0
    for cell in cells(notebook, "code"):
        outputs = cell["outputs"]
        if CHECKED in cell["metadata"].get("tags", []):
            checked += 1
            if not outputs:
                yield f"cell {cell['id']} is tagged {CHECKED} but stores no output; run: make outputs"
            if not all(is_text(output) for output in outputs):
                yield f"cell {cell['id']} is tagged {CHECKED} but shows more than text; pictures are not compared"
        elif outputs:
            yield f"cell {cell['id']} stores an output but is not tagged {CHECKED}"
        if MACHINE_PATH.search(str(outputs)) or MACHINE_PATH.search(text(cell)):
            yield f"cell {cell['id']} holds a path of one machine"
    if not checked:
        yield f"no cell is tagged {CHECKED}; the chapter asserts nothing"


def problems(notebook: dict[str, Any]) -> list[str]:
    """Every rule that the notebook breaks, in words."""
    return [*prose_problems(notebook), *code_problems(notebook), *storage_problems(notebook)]
