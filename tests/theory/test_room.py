"""The room as a whole: what its import loads, and that its names are listed."""

import inspect
import subprocess
import sys

from edasim import theory


def test_importing_theory_loads_numpy_and_none_of_the_heavy_packages():
    code = "import sys, edasim.theory; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not {"scipy", "pandas", "matplotlib", "networkx", "simpy"} & set(loaded)


def test_every_public_name_is_listed_and_documented():
    modules = {name for name, thing in vars(theory).items() if inspect.ismodule(thing)}
    assert {name for name in vars(theory) if not name.startswith("_")} - modules == set(theory.__all__)
    assert all(getattr(theory, name).__doc__ for name in theory.__all__)
