"""The crash-point matrix: which steps there are, what each crash does, on each broker, broken beside repaired."""

import sys

import pytest

from benchmarks import crash_matrix
from edasim import Event, JetStream, Kafka, MemoryBus, RabbitMQ, experiments, failures, viz
from edasim.checks import configuration
from edasim.errors import CapabilityError, ConfigurationError, UnknownNameError
from edasim.failures import crash_points
from edasim.failures.crash_points import judge
from edasim.scenarios.base import Scenario
from edasim.scenarios.registration import clockwork, crash_variants
from edasim.services import Service, Source, load


@configuration
class Orders(Scenario):
    """One order: a till that publishes, a stock that writes and publishes, and tells a courier."""

    @property
    def promises(self):
        return (
            failures.exactly_once(to="stock", effect="taken_from_stock", by="order"),
            failures.at_least_once(to="courier", effect="delivered", by="order"),
        )

    def build(self, sim):
        topic = MemoryBus().start(sim).topic("orders")
        stored = set()

        def take(event, context):
            if event.data["order"] not in stored:
                stored.add(event.data["order"])
                context.fact("taken_from_stock", order=event.data["order"])
            return Event(type="packed", data=event.data)

        def deliver(event, context):
            yield context.pause(1.0)
            context.step("write", "signature")
            context.fact("delivered", order=event.data["order"])

        Source(
            "till",
            load=load.Trace(times_s=(1.0,)),
            to=topic,
            event=lambda occasion: Event(type="ordered", data={"order": occasion.number}),
        )
        Service("stock", of=topic.subscribe("stock", types="ordered"), handler=take, to=topic)
        Service("courier", of=topic.subscribe("courier", types="packed"), handler=deliver)
        return {}


def test_the_steps_of_a_story_are_told_by_its_handlers():
    points = failures.crash_points(Orders()).of("outcome")
    assert [(str(cell), cell.points[0].at_s) for cell in points] == [
        ("stock/0 after it has received ordered: survived", 1.0),
        ("stock/0 after it has written taken from stock: survived", 1.0),
        ("stock/0 after it has published packed: survived", 1.0),
        ("stock/0 before it acknowledges ordered: survived", 1.0),
        ("stock/0 after it acknowledges ordered: survived", 1.0),
        ("courier/0 after it has received packed: survived", 1.0),
        ("courier/0 after it has written signature: survived", 2.0),
        ("courier/0 after it has written delivered: survived", 2.0),
        ("courier/0 before it acknowledges packed: survived", 2.0),
        ("courier/0 after it acknowledges packed: survived", 2.0),
    ]


def test_a_crash_at_a_step_stops_the_handler_there_and_nothing_after_it_happens():
    (cell,) = [
        cell
        for cell in crash_points(clockwork(), nodes=["mail"], down_s=2.0).cells
        if cell.points[0].what == "mail_arrived"
    ]
    (found,) = cell.findings
    assert [(round(moment.time_s, 3), moment.text.partition(" (")[0]) for moment in found.timeline] == [
        (1.02, "publishes mail.welcome.requested behaviour-analytics-1"),
        (1.02, "takes it"),
        (1.145, "mail arrived"),
        (1.145, "fault: mail/0 crashes after it has written mail arrived, and is back 2 s later"),
        (1.145, "fails while it works on it, so it goes back to the broker"),
        (1.145, "takes it again"),
        (1.27, "mail arrived"),
        (1.37, "is done and acknowledges"),
    ]


@pytest.mark.long
@pytest.mark.parametrize("broker", crash_matrix.BROKERS)
def test_registration_each_variant_breaks_at_the_crashes_that_it_names_and_the_repaired_one_at_none(broker):
    variants, found = crash_matrix.matrix(broker)
    assert [problem for variant in variants for problem in crash_matrix.unlike(variant, found)] == []
    assert set(found.counts("repaired")) == {"survived"}
    broken = [variant for variant in variants if variant.crashes]
    assert [variant.outcome.value for variant in broken] == ["lost", "lost", "violated", "duplicated"]
    assert all(0 < found.count("survived", variant.name) < len(found.of(variant.name)) for variant in broken)


def test_a_variant_that_says_something_else_than_the_matrix_is_named():
    hasty, *_, repaired = crash_variants()
    found = crash_points({"acknowledge first": repaired.scenario}, nodes=["relay"])
    told = crash_matrix.unlike(hasty, found)
    assert "mail/0 after it has written mail cached: was never tried" in told
    lies = crash_points({"acknowledge first": hasty.scenario.but(writing="row, then event")}, nodes=["user-management"])
    assert any("lost, and survived was said" in problem for problem in crash_matrix.unlike(hasty, lies))


@pytest.mark.long
def test_a_broker_crashes_at_every_step_too_and_what_it_loses_is_its_own_rule():
    found = crash_points(
        {
            "kafka": clockwork(broker=Kafka(name="broker"), sender="idempotent"),
            "rabbitmq": clockwork(broker=RabbitMQ(name="broker"), sender="idempotent"),
            "jetstream": clockwork(broker=JetStream(name="broker"), sender="idempotent"),
        },
        nodes=["broker"],
        until_s=300.0,
    )
    assert "broker after mail/0 has written mail sent" in found.rows
    assert [found.counts(variant) for variant in found.variants] == [{"survived": many} for many in (9, 8, 8)]
    with pytest.raises(CapabilityError, match="memory cannot break"):
        crash_points(clockwork(), nodes=["memory"])


def test_the_matrix_is_a_table_a_text_and_a_picture():
    variants = {"plain": clockwork(), "idempotent": clockwork(sender="idempotent")}
    found = crash_points(variants, nodes=["mail/0"], pairs=3)
    assert found.table().shape == (11 + 3, 3)
    assert str(found).splitlines()[0].split() == ["crash", "plain", "idempotent"]
    picture = viz.crash_matrix(found)
    assert "mail/0 after it has written mail arrived: plain: duplicated; idempotent: survived." in picture.text
    assert picture.svg.count("no such step") == 0
    (bad,) = [cell for cell in found.of("plain") if cell.outcome.value == "duplicated" and len(cell.points) == 1][:1]
    assert found.cell(bad.name, "plain") is bad
    assert "it began with: mail/0 crashes" in viz.finding(bad.findings[0]).text
    assert viz.findings(bad.findings, 9.0).alt == "Findings: 1 duplicated"
    assert viz.findings(failures.Findings(), 9.0).alt == "Findings: none"
    with pytest.raises(UnknownNameError, match="variant"):
        found.of("other")
    with pytest.raises(UnknownNameError, match="variant"):
        found.cell("x", "other")


@pytest.mark.long
def test_worker_processes_give_the_same_matrix():
    here = experiments.crash_points(clockwork(), nodes=["mail"], workers=1)
    there = experiments.crash_points(clockwork(), nodes=["mail"], workers=2)
    assert list(map(str, here.cells)) == list(map(str, there.cells))
    assert [list(map(str, cell.findings)) for cell in here.cells] == [
        list(map(str, cell.findings)) for cell in there.cells
    ]


def test_who_stops_a_matrix_keeps_what_is_done(monkeypatch):
    tried = []

    def impatient(task):
        if len(tried) == 3:
            raise KeyboardInterrupt
        tried.append(task)
        return judge(task)

    monkeypatch.setattr(sys.modules["edasim.failures.crash_points"], "judge", impatient)
    found = experiments.crash_points(clockwork(), nodes=["mail"])
    assert len(found.cells) == 3
    assert [cell.outcome.value for cell in found.cells] == ["survived", "survived", "duplicated"]
    with pytest.raises(KeyboardInterrupt):
        experiments.crash_points(clockwork(), nodes=["mail"], workers=1)


def test_matrices_that_cannot_be_made_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'mail'"):
        crash_points(clockwork(), nodes=["mial"])
    with pytest.raises(ConfigurationError, match="faults of its own"):
        crash_points(clockwork(faults=[failures.Crash(node="mail", at_s=1.0, down_s=1.0)]))
    with pytest.raises(ConfigurationError, match="nowhere to crash"):
        crash_points(clockwork(), nodes=["readers"])
    with pytest.raises(ConfigurationError, match="scenario"):
        crash_points({})
    with pytest.raises(ConfigurationError, match="give a scenario"):
        crash_points({"first": 5})
    assert crash_points(clockwork(), nodes="mail").rows == crash_points(clockwork(), nodes=["mail"]).rows
    with pytest.raises(ConfigurationError, match="no promise"):
        crash_points(clockwork(), promises=[])
