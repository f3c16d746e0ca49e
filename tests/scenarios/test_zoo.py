"""The bug zoo: every mutant is found by the promises that its twin keeps, and the finding explains it."""

import csv
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import zoo as benchmark
from edasim.errors import ConfigurationError, StateError, UnknownNameError
from edasim.failures import Crash, StoreFull, Verdict, When, check, crash_points
from edasim.scenarios import zoo
from edasim.scenarios.zoo.overload import Asking
from edasim.scenarios.zoo.remembering import Charging, Knows
from edasim.scenarios.zoo.storage import Keeps, Mailing
from edasim.scenarios.zoo.writing import Selling, Writes
from edasim.services import load

RULES = Path(__file__).parents[2] / "docs" / "rules"
LONGEST_TIMELINE = 30
SIZES = ("orders", "edits", "mails", "trips", "deposits", "customers")
EACH = [pytest.param(each, id=each.name, marks=pytest.mark.rule(each.rule)) for each in zoo.SPECIES]
WITHOUT_STEPS = ("never acknowledges", "wrong key", "competing consumers", "begins at the end")
"""They have no handler, so there is no step at which to crash."""


def small(scenario, size=4):
    sizes = {name: size for name in SIZES if hasattr(scenario, name)}
    few = load.Constant(rate_per_s=4.0).first(size)
    return scenario.but(**sizes, **({"arrivals": few} if hasattr(scenario, "arrivals") else {}))


def fields_of(species):
    return {name: getattr(species, name) for name in species.__dataclass_fields__}


def told(finding):
    """A timeline, in seconds since its first moment."""
    begun_s = finding.timeline[0].time_s
    return [(round(moment.time_s - begun_s, 6), moment.who, moment.text) for moment in finding.timeline]


# ------------------------------------------------------------------------------------------------ all species


@pytest.mark.parametrize("species", EACH)
def test_the_oracle_finds_the_mutant_and_explains_it(species):
    hunt = species.hunt()
    assert hunt is not None
    assert hunt.tries <= species.seeds
    finding = hunt.finding
    assert (finding.verdict, finding.promise) == (species.verdict, species.breaks)
    assert 2 <= len(finding.timeline) <= LONGEST_TIMELINE
    assert all(one.time_s <= other.time_s for one, other in pairwise(finding.timeline))
    if species.needs_fault:
        assert finding.fault.detail["words"] in [fault.describe() for fault in species.schedule(hunt.seed)]
        assert any(moment.text.startswith("fault: ") for moment in finding.timeline)
        assert species.broken(species.run(hunt.seed, 0)) == []


@pytest.mark.parametrize("species", EACH)
def test_the_twin_keeps_every_promise_under_the_same_faults(species):
    assert check(species.run_of_twin(0)).counts() == {}


@pytest.mark.long
@pytest.mark.parametrize("species", EACH)
def test_the_twin_keeps_them_under_more_faults(species):
    assert not any(check(species.run_of_twin(seed, 12)) for seed in range(100, 106))


@pytest.mark.long
@pytest.mark.parametrize("species", [each for each in EACH if each.id not in WITHOUT_STEPS])
def test_the_twin_survives_a_crash_at_each_of_its_steps(species):
    matrix = crash_points(small(species.twin, 3), down_s=0.5, until_s=species.until_s)
    assert list(matrix.counts()) == ["survived"]


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("acknowledges first", 1),
        ("lost update", 0),
        pytest.param("forgets too soon", 3, marks=pytest.mark.long),
        pytest.param("relay marks first", 3, marks=pytest.mark.long),
        pytest.param("leader without a fence", 1, marks=pytest.mark.long),
    ],
)
def test_fifty_faults_shrink_to_the_few_that_it_takes_and_the_finding_names_one(name, most):
    species = zoo.species(name)
    shrunk = next(species.shrunk(seed) for seed in range(20) if species.broken(species.run(seed, 50)))
    assert (shrunk.before, len(shrunk.faults) <= most) == (50, True)
    first = shrunk.findings[0].fault
    assert (first is None) == (not shrunk.faults)
    assert first is None or first.detail["words"] in [fault.describe() for fault in shrunk.faults]


def test_the_zoo_is_listed_each_species_once_with_a_rule_of_the_ledger():
    table = zoo.table()
    assert list(table.columns) == [
        *("species", "theme", "what", "difference", "verdict", "breaks", "needs a fault", "rule"),
    ]
    assert len(table) == len(zoo.SPECIES) == table.species.nunique() >= 20
    assert list(table.theme.unique()) == list(zoo.THEMES)
    lines = [line for path in RULES.glob("*.csv") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    ledger = {row[0] for row in csv.reader(lines)}
    assert set(table.rule) <= ledger
    assert set(table.verdict) == {verdict.value for verdict in Verdict}


def test_a_species_tells_its_bug_in_the_words_of_its_scenario():
    assert zoo.species("commits first").difference == "broker.commit: 'before_processing' instead of 'after_batch'"
    assert zoo.species("nothing is kept").difference == "broker: Nats instead of JetStream"
    assert zoo.species("forgets too soon").difference == "keeps_notes_s: 1.0 instead of 3600.0"
    assert zoo.species("lost update").field == "update"
    assert zoo.species("no idempotence").promises == ("exactly once to payment: charged",)


# ------------------------------------------------------------------------------------------------ stories


def test_story_what_was_remembered_in_memory_is_charged_twice():
    dies = When(step="write", of="payment", nth=1, then=Crash(node="payment", at_s=0.02, down_s=0.5))
    broken = Charging(knows=Knows.MEMORY, orders=1, faults=[dies])
    (finding,) = check(broken.run(seed=1))
    assert [(at_s, text) for at_s, _, text in told(finding)] == [
        (0.0, "publishes order.placed shop-0"),
        (0.0, "takes it"),
        (0.05, "charged"),
        (0.07, f"fault: {finding.fault.detail['words']}"),
        (0.07, "fails while it works on it, so it goes back to the broker"),
        (0.57, "takes it again (attempt 2)"),
        (0.62, "charged"),
        (0.67, "is done and acknowledges"),
    ]
    assert check(broken.but(knows=Knows.NOTE_WITH).run(seed=1)) == []


def test_story_the_relay_marked_a_row_and_died_before_it_was_published():
    dies = When(step="receive", of="relay", nth=1, then=Crash(node="relay", at_s=0.01, down_s=0.5))
    broken = Selling(writes=Writes.OUTBOX_MARKED_FIRST, orders=1, faults=[dies])
    lost = [each for each in check(broken.run(seed=1)) if each.verdict is Verdict.STUCK]
    assert told(lost[0])[:-1] == [
        (0.0, "web", "publishes order.asked web-0"),
        (0.0, "orders/0", "takes it"),
        (0.05, "orders", "publishes outbox.row orders-0"),
        (0.05, "relay/0", "takes it"),
        (0.05, "orders", "saved (order 0, parcels 1)"),
        (0.05, "orders/0", "is done and acknowledges"),
        (0.06, "relay", f"fault: {lost[0].fault.detail['words']}"),
        (0.06, "relay/0", "it is dropped, and nobody has it any more"),
    ]
    assert lost[0].timeline[-1].text == "shipped of order 0 never came"
    assert check(broken.but(writes=Writes.OUTBOX).run(seed=1)) == []


def test_story_a_reader_opens_a_link_after_the_memory_of_the_service_is_gone():
    dies = Crash(node="mail", at_s=3.0, down_s=0.1)
    broken = Mailing(keeps=Keeps.MEMORY, mails=2, faults=[dies])
    found = check(broken.run(seed=1))
    assert found.counts() == {"stuck": 1}
    assert [(who, text) for _, who, text in told(found[0])] == [
        ("web", "publishes mail.asked web-1"),
        ("mail/0", "takes it"),
        ("mail", "mail sent (mail 1)"),
        ("mail/0", "is done and acknowledges"),
        ("mail", "fault: mail crashes at 3 s and is back after 0.1 s"),
        ("readers", "publishes link.opened readers-1"),
        ("mail/0", "takes it"),
        ("mail", "page not found (mail 1)"),
        ("mail/0", "is done and acknowledges"),
        ("the run", "mail_shown of mail 1 never came"),
    ]
    assert check(broken.but(keeps=Keeps.DISK).run(seed=1)) == []


# ------------------------------------------------------------------------------------------------ what does not go


def test_a_species_is_one_field_one_stated_promise_and_some_danger():
    known = zoo.species("no idempotence")
    for wrong, match in (
        ({"twin": known.mutant}, "one field different"),
        ({"twin": Charging(orders=3)}, "one field different"),
        ({"twin": Asking()}, "one field different"),
        ({"mutant": "a scenario"}, "a field faults"),
        ({"breaks": "never: anything"}, "give one of: exactly once to payment"),
        ({"dangers": ()}, "at least one fault"),
    ):
        with pytest.raises(ConfigurationError, match=match):
            zoo.Species(**{**fields_of(known), **wrong})
    with pytest.raises(UnknownNameError, match="no idempotence"):
        zoo.species("no idempotense")


def test_a_schedule_is_drawn_by_a_seed_and_has_no_room_for_more_than_fit():
    species = zoo.species("swallows the error")
    assert species.schedule(3) == species.schedule(3) != species.schedule(4)
    assert len(species.schedule(3, 7)) == 7
    assert {type(fault) for fault in species.schedule(3, 30)} == {Crash, StoreFull}
    assert species.schedule(3, 0) == ()
    long = zoo.Species(**{**fields_of(species), "dangers": (StoreFull(store="shipping book", at_s=0.0, for_s=99.0),)})
    with pytest.raises(StateError, match="no room for another one"):
        long.schedule(3, 5)


def test_a_hunt_that_finds_nothing_says_so():
    known = zoo.species("no idempotence")
    harmless = zoo.Species(
        **{**fields_of(known), "dangers": (Crash(node="payment", at_s=0.0, down_s=1e-3),), "lasts_s": 1e-3}
    )
    assert harmless.hunt(seeds=2) is None


def test_the_benchmark_tells_what_came_of_each_species(monkeypatch, capsys):
    for name, value in {"STARTS": 2, "TWIN_SEEDS": 2, "LONGEST_HUNT": 3}.items():
        monkeypatch.setattr(benchmark, name, value)
    row = benchmark.examine("never acknowledges")
    assert (row.verdict, row.tries, row.alarms, row.left, row.found) == ("stuck", (1, 1), 0, 0, 2)
    text = benchmark.report([row, benchmark.Row("lost update", "-", (None, 7), 1, None, 9)])
    assert "never acknowledges  stuck          2/2     1       1      2      0       none   0 of 50" in text
    assert "mutants found / mutants: 1 / 2" in text
    assert "false alarms on twins: 1 in 4 runs" in text
    with pytest.raises(SystemExit):
        benchmark.main(["no such bug"])
    assert "no species 'no such bug'" in capsys.readouterr().err
