"""The shape of the package: small modules, documented rooms, a light root that nothing inside imports."""

import ast
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
from quiet import quiet_s

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "edasim"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted({path.parent for path in MODULES})
HEAVY = ("pandas", "matplotlib", "networkx", "ipywidgets")


@lru_cache(maxsize=2)  # the tests of one module come one after another
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def title(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> dict[str, int]:
    """The length in lines of each function of a module, by `name:line`."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(tree(path)) if isinstance(node, kinds)]
    return {f"{node.name}:{node.lineno}": node.end_lineno - node.lineno + 1 for node in found}


@pytest.mark.parametrize("path", MODULES, ids=title)
class TestEachModule:
    def test_says_what_it_is_for_and_is_short(self, path):
        assert len(ast.get_docstring(tree(path)) or "") >= 40
        assert len(path.read_text(encoding="utf-8").splitlines()) < 400
        assert {name: lines for name, lines in functions(path).items() if lines > 60} == {}

    def test_imports_relatively_from_inside(self, path):
        imports = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Import)]
        members = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom) and node.level == 0]
        absolute = [alias.name for node in imports for alias in node.names] + [node.module for node in members]
        assert [name for name in absolute if name.partition(".")[0] == "edasim"] == []


@pytest.mark.parametrize("room", ROOMS, ids=title)
def test_each_room_says_what_it_is_for(room):
    assert (room / "__init__.py").is_file()
    assert len(ast.get_docstring(tree(room / "__init__.py")) or "") >= 40


def test_the_root_exports_at_most_25_names_and_each_is_there():
    import edasim

    assert 1 <= len(edasim.__all__) <= 25
    assert len(set(edasim.__all__)) == len(edasim.__all__)
    assert [name for name in edasim.__all__ if not hasattr(edasim, name)] == []


def test_importing_the_root_loads_nothing_heavy():
    code = f"import sys, edasim; print([name for name in {HEAVY!r} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def childrens_s() -> float:
    """Processor time of all child processes that have ended."""
    return os.times().children_user + os.times().children_system


def test_importing_the_root_takes_under_a_quarter_of_a_second():
    """Of a whole process that imports it; the best round is one that finds the modules compiled."""
    command = [sys.executable, "-c", "import edasim"]
    assert quiet_s(lambda _: subprocess.run(command, check=True), clock=childrens_s) < 0.25
