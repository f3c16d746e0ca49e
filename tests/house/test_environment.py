"""What a stranger installs is what the project needs: pyproject.toml, the lock file and environment.yml agree."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "edasim").rglob("*.py"))


def declared(*extras: str) -> dict[str, Requirement]:
    """The project's requirements with those of some extras, by name."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    named = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in named if requirement.name != "edasim"}


def pins() -> dict[str, list[str]]:
    """The locked versions of each package; more than one where Python versions need different ones."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)", LOCK, flags=re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def test_the_lock_names_no_host_and_no_path():
    assert "://" not in LOCK
    assert not re.findall(r"file:|--(?:extra-)?index-url|--find-links|(?:^|\s)/\w+/", LOCK)


def test_the_lock_pins_every_package_exactly():
    lines = [line for line in LOCK.splitlines() if line and not line.startswith("#")]
    assert len(lines) > 50
    assert [line for line in lines if not re.match(r"[A-Za-z0-9._-]+==\d", line)] == []


@pytest.mark.parametrize("name", sorted(declared("lab", "test", "dev")))
def test_the_lock_satisfies_what_the_project_declares(name):
    versions = pins().get(name, [])
    assert versions, f"{name} is declared but not locked; run: make lock"
    assert [version for version in versions if version not in declared("lab", "test", "dev")[name].specifier] == []


def test_environment_yml_equals_the_project():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    from_pip = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    by_conda = {entry for entry in environment["dependencies"] if isinstance(entry, str)}
    assert from_pip == [["-e ."]]
    assert by_conda == {*map(str, declared("lab").values()), f"python{PROJECT['requires-python']}", "pip"}


def imported() -> set[str]:
    """The top-level names that the package imports from outside the standard library."""
    names = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"edasim"}


def test_every_import_of_the_package_is_declared():
    provided_by = importlib.metadata.packages_distributions()
    owners = [owner for name in imported() for owner in provided_by.get(name, [f"unknown: {name}"])]
    distributions = {canonicalize_name(owner) for owner in owners}
    # IPython is a requirement of ipywidgets by its own promise
    assert distributions - set(declared()) - {"ipython"} == set()
