"""Results in files: what is saved is loaded, other tools can read it, and foreign or damaged files are refused."""

import gzip
import math

import pandas as pd
import pytest
from breaking import MM1, Frail

from edasim import checks
from edasim.errors import ConfigurationError
from edasim.experiments import compare, load, replicate, seed_of, storage, sweep
from edasim.scenarios import SingleQueue
from edasim.services.load import Constant, Poisson

WAIT = "mail.mean_wait_s"
FORMS = ["result.parquet", "result.csv", "result.csv.gz"]
FRAIL = Frail(messages=20, bad_seeds=(seed_of(0, 1),))

RESULTS = {
    "replications": replicate(MM1, 3, [WAIT, "mail.done"], seed=4),
    "failures": replicate(FRAIL, 3, WAIT),
    "not finite": replicate(MM1, 2, {"nan": lambda run: -math.nan, "inf": lambda run: math.inf}),
    "sweep": sweep(MM1, {"servers": [1, 2], "arrivals.rate_per_s": [0.5, 0.8]}, 2, WAIT),
    "sweep of configurations": sweep(
        MM1, {"arrivals": [Poisson(rate_per_s=1.0), Constant(rate_per_s=1.0)], "capacity": [None, 5]}, 2, WAIT
    ),
    "comparison": compare(MM1, Frail(messages=100), 3, WAIT),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", RESULTS)
def test_what_is_saved_is_loaded(tmp_path, form, name):
    result = RESULTS[name]
    assert result.save(tmp_path / form) == tmp_path / form
    loaded = load(tmp_path / form)
    assert type(loaded) is type(result)
    assert loaded.fingerprint() == result.fingerprint()
    assert loaded.provenance == result.provenance
    assert loaded.failures == result.failures
    assert str(loaded) == str(result)
    if name != "not finite":
        assert loaded == result
    assert [path.name for path in tmp_path.iterdir()] == [form]


def test_other_tools_read_the_same_table(tmp_path):
    swept = RESULTS["sweep"]
    swept.save(tmp_path / "s.csv")
    swept.save(tmp_path / "s.parquet")
    for table in (pd.read_csv(tmp_path / "s.csv", comment="#"), pd.read_parquet(tmp_path / "s.parquet")):
        assert table.columns.tolist() == ["point", "servers", "arrivals.rate_per_s", "seed", WAIT, "fingerprint"]
        assert table["arrivals.rate_per_s"].tolist() == [0.5, 0.5, 0.8, 0.8] * 2
    first = (tmp_path / "s.csv").read_text().splitlines()[0]
    assert '"version"' in first
    assert '"fingerprint"' in first
    assert '"kind": "load.Poisson"' in first


class Gadget:
    def __repr__(self):
        return "Gadget()"


@checks.configuration
class Untold(SingleQueue):
    """A queue with something that has no plain form."""

    gadget: Gadget = checks.kind(Gadget, "a gadget", default=Gadget())

    def to_dict(self):
        raise ConfigurationError("Gadget cannot be stored")


@pytest.mark.parametrize("form", FORMS)
def test_a_scenario_that_cannot_be_told_is_kept_in_words(tmp_path, form):
    swept = sweep(Untold(messages=20), {"servers": [1, 2]}, 2, WAIT)
    swept.save(tmp_path / form)
    loaded = load(tmp_path / form)
    assert loaded.fingerprint() == swept.fingerprint()
    assert loaded.results[0].scenario["scenario"] == "Untold"
    assert "Gadget()" in loaded.results[0].scenario["repr"]
    assert loaded.points().equals(swept.points())
    assert load(loaded.save(tmp_path / f"again_{form}")).points().equals(swept.points())


def test_saving_again_replaces_the_file_and_a_failure_leaves_it(tmp_path, monkeypatch):
    path = tmp_path / "r.csv"
    RESULTS["replications"].save(path)
    before = path.read_bytes()

    def no_room(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "replace", no_room)
    with pytest.raises(ConfigurationError, match="No space left"):
        RESULTS["failures"].save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    RESULTS["failures"].save(path)
    assert load(path) == RESULTS["failures"]


@pytest.mark.parametrize("form", FORMS)
def test_foreign_and_damaged_files_are_refused(tmp_path, form):
    path = tmp_path / form
    with pytest.raises(ConfigurationError, match="does not exist"):
        load(path)
    table = pd.DataFrame({"a": [1, 2]})
    table.to_parquet(path) if form.endswith("parquet") else table.to_csv(path)
    with pytest.raises(ConfigurationError, match="is not a results file of edasim"):
        load(path)
    path.write_bytes(b"\x00\x01 nonsense")
    with pytest.raises(ConfigurationError, match=r"is damaged|is not a results file"):
        load(path)
    RESULTS["sweep"].save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ConfigurationError, match="is damaged"):
        load(path)


def test_a_changed_row_is_found_out(tmp_path):
    path = tmp_path / "r.csv"
    RESULTS["replications"].save(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1].replace("200.0", "201.0")]) + "\n")
    with pytest.raises(ConfigurationError, match="its rows are not those that were saved"):
        load(path)
    path.write_text("\n".join(lines).replace('"format": 1', '"format": 2'))
    with pytest.raises(ConfigurationError, match="has format 2; this version of edasim reads format 1"):
        load(path)


def test_a_place_that_cannot_be_written_or_a_name_that_says_nothing_is_refused(tmp_path, monkeypatch):
    result = RESULTS["replications"]
    with pytest.raises(ConfigurationError, match=r"ends with .parquet, .csv, .csv.gz"):
        result.save(tmp_path / "result.xlsx")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        result.save(tmp_path / "none" / "r.csv")
    monkeypatch.setattr(storage, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"edasim\[parquet\]"):
        result.save(tmp_path / "r.parquet")


def test_compressed_files_do_not_depend_on_the_time_of_day(tmp_path):
    RESULTS["sweep"].save(tmp_path / "a.csv.gz")
    RESULTS["sweep"].save(tmp_path / "b.csv.gz")
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).startswith(b"# edasim {")
