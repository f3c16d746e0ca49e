"""The documents that a stranger reads first say what is true."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROOMS = sorted(path.parent.name for path in (ROOT / "edasim").glob("*/__init__.py"))


def test_the_readme_shows_both_commands():
    assert {"make lab", "make test"} <= {line.strip() for line in README.splitlines()}


def test_the_readme_links_to_each_chapter_that_exists_and_to_no_other():
    linked = set(re.findall(r"\]\((notebooks/[^)]+\.ipynb)\)", README))
    assert linked == {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_the_readme_points_at_files_that_exist():
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", README + CONTRIBUTING)
    assert len(targets) > 3
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_readme_example_is_short_and_runs():
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(example.splitlines()) <= 30
    ran = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


@pytest.mark.parametrize("room", ROOMS)
def test_contributing_names_each_room_on_its_floor(room):
    assert f"`{room}/`" in CONTRIBUTING


def test_the_changelog_tells_this_version_and_its_changes_of_results():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {re.escape(version)}\b.*?(?=^## |\Z)", changelog, flags=re.MULTILINE | re.DOTALL)
    assert "### Results change" in section


def test_the_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
